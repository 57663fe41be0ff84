"""A simulator's time, where a person attends: it waits for who reads a screen."""

from urllib.parse import parse_qsl

import click

from stimctl.errors import Misuse


def attended_url(url: str) -> str:
    """The same at a pace that a person can follow: real time, where none is named. Raises `Misuse` for `pace=max`.

    As fast as it can go, the 45 minutes from arm to end are over while the first screen is read.
    """
    if not url.lower().startswith("sim://"):
        return url
    pace = dict(parse_qsl(url.partition("?")[2])).get("pace")
    if pace == "max":
        raise Misuse(
            f"{url}: nobody can attend at pace=max, whose 45 minutes are over while a screen is read: name pace=real, "
            "or a factor such as pace=60, or say --unattended"
        )
    if pace is not None:
        return url
    click.echo(f"{url} keeps real time while somebody attends; with pace=60 a minute takes a second.", err=True)
    return f"{url}{'&' if '?' in url else '?'}pace=real"
