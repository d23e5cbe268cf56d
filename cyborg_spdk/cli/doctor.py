# SPDX-License-Identifier: Apache-2.0

"""``cyborg-spdk doctor``: could a target run here, and if not, why not?"""

import argparse
from collections.abc import Sequence
import sys
from typing import Any

from cyborg_spdk.cli import commands
from cyborg_spdk.cli import widths
from cyborg_spdk.host.doctor import checks as doctor_checks
from cyborg_spdk.service.plug import doctor as plug_doctor


class Doctor(commands.Configured, commands.Fitting):
    """Check whether targets can run on this machine, and say what to do.

    Where the duty plug is switched on: also whether their units can get into
    the guests. Nothing is changed. The exit status is 0 only if at least one
    target of the configuration runs or could be started.
    """

    COLUMNS = ('Check', 'Result', 'Target', 'Finding', 'Remedy')
    narrow = COLUMNS

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument(
            '--problems', action='store_true',
            help='Show only what is not in order.')
        return parser

    def run(self, parsed_args: argparse.Namespace) -> int:
        self._could_run = True
        return super().run(parsed_args) or int(not self._could_run)

    def produce_output(self, parsed_args: argparse.Namespace,
                       column_names: Sequence[str], data: Any) -> int:
        data = list(data)
        if parsed_args.formatter == 'table' and not parsed_args.wide \
                and not parsed_args.columns and sys.stdout.isatty() \
                and widths.whole(column_names, data) > widths.available():
            # Two columns of sentences would be two words wide each.
            column_names = column_names[:-1]
            data = [(*row[:-2], '\n-> '.join(filter(None, row[-2:])))
                    for row in data]
        return super().produce_output(parsed_args, column_names, data)

    def take_action(self,
                    parsed_args: argparse.Namespace) -> commands.Table:
        findings = doctor_checks.examine(self.conf)
        self._could_run = doctor_checks.could_run(self.conf, findings)
        findings += plug_doctor.examine(self.conf)
        if parsed_args.problems:
            findings = [finding for finding in findings
                        if finding.level in (doctor_checks.WARNING,
                                             doctor_checks.FAILURE)]
        return self.COLUMNS, [
            (finding.check, finding.level, finding.target or '',
             finding.text, finding.remedy) for finding in findings]
