# SPDX-License-Identifier: Apache-2.0

"""Commands that are programs of their own: they take all their arguments."""

from __future__ import annotations

import gc
import os
import sys

# Importing typing would cost a command line more than anything here.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn


def rpc(argv: list[str]) -> int:
    """Run ``cyborg-spdk rpc``; see :mod:`cyborg_spdk.cli.rpc.command`.

    :param argv: its arguments.
    :returns: the exit status.
    """
    # One call leaves no garbage to look for before the process ends.
    gc.disable()
    from cyborg_spdk.cli.rpc import command
    status: int = command.main(argv)
    return status


def simulate(argv: list[str]) -> NoReturn:
    """Become the simulator: its signals and exit status are the command's.

    :param argv: its arguments.
    """
    os.execv(  # noqa: S606  # nosec B606
        sys.executable, [sys.executable, '-m', 'spdk_simulator', *argv])


def complete_words(argv: list[str]) -> int:
    """Print what may follow on a command line; see
    :mod:`cyborg_spdk.cli.words`. For the completion of shells.

    :param argv: the words so far.
    :returns: the exit status.
    """
    from cyborg_spdk.cli import words
    return words.main(argv)


_PROGRAMS: dict[str, Callable[[list[str]], int]] = {
    'rpc': rpc, 'simulate': simulate, 'complete-words': complete_words}


def absolute(address: str) -> str:
    """An RPC address as it was typed; a relative path made absolute.

    :param address: for example ``"./x.sock"``, or ``"x.sock"`` if there is
        such a file.
    :returns: what is no relative path is returned as it is.
    """
    return os.path.abspath(address) \
        if address.startswith(('./', '../')) \
        or '://' not in address and os.path.exists(address) else address


#: Their names.
NAMES = frozenset(_PROGRAMS)


def run(name: str, argv: list[str]) -> int:
    """Run one of them.

    :param name: one of :data:`NAMES`.
    :param argv: its arguments.
    :returns: the exit status.
    """
    return _PROGRAMS[name](argv)
