# SPDX-License-Identifier: Apache-2.0

"""The cyborg-spdk command.

``rpc`` and ``simulate`` are handed on before anything heavy is imported:
the one because shell scripts call it many times, the other because it is a
program of its own. Everything else is a cliff command.
"""

from collections.abc import Sequence
import gc
import signal
import sys

from cyborg_spdk.cli import programs


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    :param argv: the arguments without the program's name; None means those
        of the process.
    :returns: exit status: 0 if all went well, 1 if not, 2 for a command
        line that cannot be understood.
    """
    argv = sys.argv[1:] if argv is None else list(argv)
    try:
        return _run(argv)
    except KeyboardInterrupt:
        # Also while modules are imported; as a shell tells it.
        return 128 + signal.SIGINT


def _run(argv: list[str]) -> int:
    if argv[:1] and argv[0] in programs.NAMES:
        return programs.run(argv[0], argv[1:])
    # What is imported stays: neither now nor at the end is it garbage.
    gc.disable()
    from cyborg_spdk.cli import app
    program = app.App()
    gc.freeze()
    gc.enable()
    return program.run(argv)


if __name__ == '__main__':
    sys.exit(main())
