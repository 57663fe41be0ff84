"""The options `--port`, `--device`, `--dialect`, `--isolator` and its own: where a stimulator is, and what it is.

What is typed counts most, then what `stimctl.toml` says of a named device, then the environment.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

import click
from click.core import ParameterSource
from click.shell_completion import CompletionItem

from stimctl.errors import StimctlError

KINDS = ("native", "stimjim", "pulsepal", "auto")
_PORT = "/dev/ttyUSB0, COM3, socket://host:port or sim://."
_DEVICE = (
    "The device at the port: native, stimjim, pulsepal, or auto, which asks questions that start nothing; or a name "
    "from stimctl.toml, which stands for the port too. [default: native]"
)
_DIALECT = "A StimJim's dialect; without it the device is asked."
_ISOLATOR = "A PulsePal's stimulus isolator: mA for each volt. No default."
_OFFSET = "The most that the isolator gives at zero volts, by its own data."
_BANDWIDTH = "The isolator's bandwidth, by its own data."
_OF_CHOICE = ("dialect", "isolator", "isolator_offset", "isolator_bandwidth")


def device_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give `command` these options, as one `url` and one `choice`. A combination that makes no sense is a `Misuse`."""

    @click.option("--port", metavar="URL", envvar="STIMCTL_PORT", show_envvar=True, help=_PORT, shell_complete=_ports)
    @click.option(
        "--device", metavar="NAME", envvar="STIMCTL_DEVICE", show_envvar=True, help=_DEVICE, shell_complete=_devices
    )
    @click.option("--dialect", type=click.Choice(["a", "b", "c"]), envvar="STIMCTL_DIALECT", help=_DIALECT)
    @click.option("--isolator", metavar="MA_PER_VOLT", envvar="STIMCTL_ISOLATOR", help=_ISOLATOR)
    @click.option("--isolator-offset", metavar="UA", envvar="STIMCTL_ISOLATOR_OFFSET", help=_OFFSET)
    @click.option("--isolator-bandwidth", metavar="KHZ", envvar="STIMCTL_ISOLATOR_BANDWIDTH", help=_BANDWIDTH)
    @click.pass_context
    @wraps(command)
    def with_choice(ctx: click.Context, *args: Any, **options: Any) -> Any:
        given = {name: options.pop(name) for name in ("port", "device", *_OF_CHOICE)}
        # A rehearsal has a port of its own.
        url, choice = _chosen(ctx, given, needed=not options.get("rehearse"))
        if url is not None:
            from stimctl.port import check_url

            check_url(url)  # now, so that a slip in it is told before any question
        return command(*args, url=url, choice=choice, **options)

    return with_choice


def _chosen(ctx: click.Context, given: dict[str, str | None], *, needed: bool) -> tuple[str | None, Any]:
    # Here, because a session brings much with it that `--help` does not need.
    from stimctl.stimulators.discovery import DeviceChoice, choice_for

    device = given["device"]
    if device is not None and device not in KINDS:
        from stimctl.named_devices import named_device

        found = named_device(device)
        named = {"port": found.port, "device": found.kind, **{name: getattr(found.choice, name) for name in _OF_CHOICE}}
        typed = {name for name in given if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE} - {"device"}
        given = {name: given[name] if name in typed or value is None else value for name, value in named.items()}
    url, device = given["port"], given["device"]
    if url is None and needed:
        raise click.UsageError(f"Missing option '--port'.{_candidates()}", ctx)
    said = {name: given[name] for name in _OF_CHOICE}
    if device is None and not any(said.values()):
        return url, choice_for(url or "")
    return url, DeviceChoice(device or "native", **said)


def _candidates() -> str:
    """What could be meant, for whoever has named no port."""
    from stimctl.cli.ports import found_ports

    lines = [
        f"  --port {port['port']}  ({port['description'] or port['usb_id'] or 'serial port'})" for port in found_ports()
    ]
    lines += [f"  --device {name}  ({url}, from stimctl.toml)" for name, url in _known().items()]
    lines.append("  --port sim://  (the simulated stimulator)")
    return "\nWhat there is here:\n" + "\n".join(lines)


def _known() -> dict[str, str]:
    """The named devices and their ports; none where their file is wrong, which is said when one of them is used."""
    from stimctl.named_devices import named_devices

    try:
        return {name: device.port for name, device in sorted(named_devices().items())}
    except StimctlError:
        return {}


def _devices(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    known = {**dict.fromkeys(KINDS, "kind of device"), **_known()}
    return [CompletionItem(name, help=text) for name, text in known.items() if name.startswith(incomplete)]


def _ports(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from stimctl.cli.ports import found_ports

    names = [port["port"] for port in found_ports()] + ["sim://"]
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]
