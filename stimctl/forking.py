"""Closes the ports and locks of this process in a child that it forks.

A fork shares open files with the child, and a lock on one of them holds until the last who shares it has closed
it: a stimulator would stay locked, and a dead session look alive, for as long as any child runs. So whoever holds
a port or a lock is told in the child, at once after the fork. A program that is started by `exec` needs none of
this: all descriptors here are closed by it.
"""

import os
from contextlib import suppress
from typing import Protocol
from weakref import WeakSet


class DescriptorOwner(Protocol):
    """Something whose descriptors must not live on in a forked child."""

    def let_go_in_fork(self) -> None:
        """In the child: give up what is the parent's, and change nothing that the parent sees."""


_holders: WeakSet[DescriptorOwner] = WeakSet()


def tell_of_forks(holder: DescriptorOwner) -> None:
    """Have `holder.let_go_in_fork` called in each child that is forked while `holder` exists."""
    import socket  # noqa: F401  # not for those who hold nothing, nor first in a child, where an import may wait for ever

    _holders.add(holder)


def dead_end(*descriptors: int) -> None:
    """Put in the place of each descriptor a line whose other end has hung up.

    The numbers stay taken, so that whoever still knows one neither reads nor writes another file by it.
    """
    import socket

    near, far = socket.socketpair()
    far.close()
    with near:
        for descriptor in descriptors:
            os.dup2(near.fileno(), descriptor, inheritable=False)


def _let_go() -> None:
    for holder in list(_holders):
        with suppress(OSError):  # one that cannot let go keeps no other from it
            holder.let_go_in_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go)
