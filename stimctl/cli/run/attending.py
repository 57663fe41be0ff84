"""A simulator's time, where a person attends: it waits for who reads a screen."""

import math
from contextlib import suppress
from urllib.parse import parse_qsl

import click

from stimctl import limits
from stimctl.errors import Misuse
from stimctl.units import US_PER_S

# At this pace the longest session lasts 45 s: time to read a gate's question, and to answer it, a few times [choice].
MOST_PACE = 60


def attended_url(url: str) -> str:
    """The same at a pace that a person can follow: real time, where none is named. Raises `Misuse` for a faster one.

    Faster, the 45 minutes from arm to end are over while a screen is read.
    """
    if not url.lower().startswith("sim://"):
        return url
    pace = dict(parse_qsl(url.partition("?")[2])).get("pace")
    if pace is None:
        click.echo(f"{url} keeps real time while somebody attends; with pace=60 a minute takes a second.", err=True)
        return f"{url}{'&' if '?' in url else '?'}pace=real"
    factor = math.inf if pace == "max" else 1.0
    with suppress(ValueError):  # what is no pace the simulator refuses
        factor = float(pace)
    if factor > MOST_PACE:
        left_s = limits.SESSION_US / US_PER_S / factor
        raise Misuse(
            f"{url}: nobody can attend at pace={pace}, at which the 45 minutes from arm to end take {left_s:.2g} s: "
            f"name pace=real, or a factor up to {MOST_PACE}, or say --unattended"
        )
    return url
