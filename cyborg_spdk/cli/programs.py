# SPDX-License-Identifier: Apache-2.0

"""Commands that are programs of their own: they take all their arguments."""

import os
import sys


def rpc(argv):
    """Run ``cyborg-spdk rpc``; see :mod:`cyborg_spdk.cli.rpc.command`.

    :param argv: its arguments.
    :returns: the exit status.
    """
    from cyborg_spdk.cli.rpc import command
    return command.main(argv)


def simulate(argv):
    """Become the simulator: its signals and exit status are the command's.

    :param argv: its arguments.
    """
    os.execv(  # noqa: S606
        sys.executable, [sys.executable, '-m', 'spdk_simulator', *argv])


_PROGRAMS = {'rpc': rpc, 'simulate': simulate}

#: Their names.
NAMES = frozenset(_PROGRAMS)


def run(name, argv):
    """Run one of them.

    :param name: one of :data:`NAMES`.
    :param argv: its arguments.
    :returns: the exit status.
    """
    return _PROGRAMS[name](argv)
