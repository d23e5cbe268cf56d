# SPDX-License-Identifier: Apache-2.0

"""The simulator's command line."""

import os
import sys

from spdk_simulator.app import cmdline
from spdk_simulator.app import install
from spdk_simulator.app import process
from spdk_simulator import log
from spdk_simulator import methods
from spdk_simulator.target import target

_USAGE = """\
usage: python -m spdk_simulator PROGRAM [SPDK options]
       python -m spdk_simulator install DIRECTORY

PROGRAM is nvmf_tgt, vhost, iscsi_tgt or spdk_tgt; it takes the options of
the SPDK program of that name (see --help) and, of its own:
  --spdk-version V    release to play, v18.01 to v26.09 (v26.05)
  --poll-ms N         milliseconds between two polls (4)
  --fault SPEC        inject a fault; may be repeated
  --hugepages MODE    honour or ignore the host's huge pages (ignore)
install lays out what looks like an SPDK installation."""


def main(argv):
    """Run the simulator.

    :param argv: arguments without the interpreter and the module.
    :returns: the exit status.
    """
    if argv[:1] == ["install"]:
        return install.main(argv[1:])
    if not argv or argv[0] in ("-h", "--help"):
        print(_USAGE)
        return 0 if argv else 2
    if argv[0] not in target.PROGRAMS:
        print(f"simulator: no program {argv[0]!r}; there are "
              f"{', '.join(target.PROGRAMS)} and install", file=sys.stderr)
        return 2
    return run(argv[0], argv[1:])


def run(app, argv):
    """Run one program.

    :param app: its name.
    :param argv: its arguments.
    :returns: the exit status.
    """
    methods.load()
    output = log.Log()
    try:
        options = cmdline.parse(app, argv, output)
        if options.silent:
            output.print_level = "WARNING"
        return process.Process(app, options, output).run()
    except cmdline.Exit as exc:
        return exc.code


def script():
    """Entry of an installed program: its name is the script's."""
    app = os.path.basename(sys.argv[0])
    sys.exit(run(app, sys.argv[1:]))
