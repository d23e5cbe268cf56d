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

"""``cyborg-spdk doctor``: could a target run here, and if not, why not?"""

from cliff import lister

from cyborg_spdk.host import doctor


class Doctor(lister.Lister):
    """Check whether targets can run on this machine, and say what to do.

    Nothing is changed. The exit status is 0 only if at least one target of
    the configuration runs or could be started.
    """

    COLUMNS = ('Check', 'Result', 'Target', 'Finding', 'Remedy')

    def get_parser(self, prog_name):
        parser = super().get_parser(prog_name)
        parser.add_argument(
            '--problems', action='store_true',
            help='Show only what is not in order.')
        return parser

    def run(self, parsed_args):
        self._could_run = True
        return super().run(parsed_args) or int(not self._could_run)

    def take_action(self, parsed_args):
        findings = doctor.examine(self.app.conf)
        self._could_run = doctor.could_run(self.app.conf, findings)
        if parsed_args.problems:
            findings = [f for f in findings
                        if f.level in (doctor.WARNING, doctor.FAILURE)]
        return self.COLUMNS, [
            (f.check, f.level, f.target or '', f.text, f.remedy)
            for f in findings]
