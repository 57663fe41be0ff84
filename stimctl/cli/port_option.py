"""The option `--port`: its URL is read when the command is, so that a slip in it is told before any question."""

from collections.abc import Callable
from typing import Any

import click

_HELP = "/dev/ttyUSB0, COM3, socket://host:port or sim://."


def _checked(_ctx: click.Context, _param: click.Parameter, url: str | None) -> str | None:
    if url is not None:
        from stimctl.port import check_url

        check_url(url)
    return url


def port_option(*, required: bool = True) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The option, as the parameter `url`. A URL that makes no sense is a `Misuse`."""
    return click.option("--port", "url", required=required, metavar="URL", callback=_checked, help=_HELP)
