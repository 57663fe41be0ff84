"""What a shell offers for a profile's name and a session's id: nothing where that cannot be known."""

import click
from click.shell_completion import CompletionItem

from stimctl.errors import StimctlError

_NEWEST = 50  # session ids that are offered


def profile_names(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The profiles that can be used, with their titles."""
    from stimctl.profile import load_profiles

    try:
        profiles = load_profiles()
    except StimctlError:
        return []
    return [
        CompletionItem(name, help=each.title) for name, each in sorted(profiles.items()) if name.startswith(incomplete)
    ]


def session_ids(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """`latest`, and the newest sessions of the log."""
    from stimctl.ledger import Ledger, ledger_is_there, ledger_path

    try:
        path = ledger_path(None if ctx.parent is None else ctx.parent.params.get("folder"))
        if not ledger_is_there(path):
            return []
        with Ledger(path, read_only=True) as ledger:
            ids = ledger.session_ids()
    except StimctlError:
        return []
    return [CompletionItem(each) for each in ("latest", *ids[: -_NEWEST - 1 : -1]) if each.startswith(incomplete)]
