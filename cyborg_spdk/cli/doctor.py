# SPDX-License-Identifier: Apache-2.0

"""``cyborg-spdk doctor``: could a target run here, and if not, why not?"""

import argparse

from cliff import lister

from cyborg_spdk.cli import commands
from cyborg_spdk.host.doctor import checks as doctor_checks
from cyborg_spdk.service.plug import doctor as plug_doctor


class Doctor(commands.Configured, lister.Lister):
    """Check whether targets can run on this machine, and say what to do.

    Where the duty plug is switched on: also whether their units can get into
    the guests. Nothing is changed. The exit status is 0 only if at least one
    target of the configuration runs or could be started.
    """

    COLUMNS = ('Check', 'Result', 'Target', 'Finding', 'Remedy')

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument(
            '--problems', action='store_true',
            help='Show only what is not in order.')
        return parser

    def run(self, parsed_args: argparse.Namespace) -> int:
        self._could_run = True
        return super().run(parsed_args) or int(not self._could_run)

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
