# Licensed under the Apache License, Version 2.0 (the "License"); you may
# not use this file except in compliance with the License. You may obtain
# a copy of the License at
#
#      http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
# WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
# License for the specific language governing permissions and limitations
# under the License.

"""The cyborg-spdk command.

``rpc`` and ``simulate`` are handed on before anything heavy is imported:
the one because shell scripts call it many times, the other because it is a
program of its own. Everything else is a cliff command.
"""

import os
import signal
import sys


def main(argv=None):
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


def _run(argv):
    if argv[:1] == ['rpc']:
        from cyborg_spdk.cli import rpc
        return rpc.main(argv[1:])
    if argv[:1] == ['simulate']:
        return _simulate(argv[1:])
    from cyborg_spdk.cli import app
    return app.App().run(argv)


def _simulate(argv):
    # The same process, so that signals and exit codes are the simulator's.
    os.execv(  # noqa: S606
        sys.executable,
        [sys.executable, '-m', 'cyborg_spdk.simulator', *argv])


if __name__ == '__main__':
    sys.exit(main())
