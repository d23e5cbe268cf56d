# SPDX-License-Identifier: Apache-2.0

"""``cyborg-spdk serve``: the host service."""

import argparse

from cyborg_spdk.cli import commands
from cyborg_spdk import loggers
from cyborg_spdk.service import serve

LOG = loggers.get(__name__)


class Serve(commands.Configured):
    """Supervise the targets of this host until SIGTERM.

    What it does is said by [spdk_service] duties; one such service runs on
    a host. SIGHUP reads the configuration anew. The exit status is 1 if it
    could not do its duties.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument(
            '--once', action='store_true',
            help='Do each duty once and end; the exit status is 1 if '
                 'something is wrong.')
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        service = serve.Service(self.conf)
        if not parsed_args.once:
            # The journal has a line for each change.
            self.app.tell_changes()  # type: ignore[attr-defined]
            service.run()
            return 0
        problems = service.once()
        for problem in problems:
            LOG.error('%s', problem)
        return int(bool(problems))
