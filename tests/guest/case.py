# SPDX-License-Identifier: Apache-2.0

"""What the tests of the guest have in common."""

import json
import re
import unittest

from tests.guest import image
from tests.guest import machine

#: Programs that are simulated and do not say so: they get huge pages and
#: cores as SPDK's own would.
PRETENDERS = '/opt/pretenders'

_PRETENDER = f'''#!{image.PYTHON}/bin/python
import sys
if '--version' in sys.argv:
    print('SPDK v26.05')
    sys.exit(0)
from spdk_simulator.app import program
sys.exit(program.run('nvmf_tgt', sys.argv[1:]))
'''

#: Where the kernel counts huge pages.
PAGES = ('/sys/devices/system/node/node{}/hugepages/hugepages-2048kB/'
         'nr_hugepages')

_TIDY = f'''
systemctl stop agent 'cyborg-spdk-*'
systemctl reset-failed
pkill -KILL -x reactor_0
rm -rf /run/cyborg-spdk /var/lib/cyborg-spdk /etc/sudoers.d/cyborg
echo 0 > {PAGES.format(0)}
echo 0 > {PAGES.format(1)}
systemctl start dev-hugepages.mount
true
'''

#: Where a target with pages of its own runs: SPDK, or the pretender.
HUNGRY = machine.SPDK if machine.SPDK_DIR else PRETENDERS


class GuestTest(unittest.TestCase):
    """A test that has the guest to itself, with one target ``nvmf``.

    :cvar iommu: whether the guest is to have an IOMMU.
    """

    iommu = True

    def setUp(self):
        self.guest = machine.booted(iommu=self.iommu)
        self.addCleanup(self.guest.run, _TIDY)
        if not machine.SPDK_DIR:
            for name in ('build/bin/nvmf_tgt', 'scripts/setup.sh'):
                self.guest.write(f'{PRETENDERS}/{name}', _PRETENDER, '755')
        self.configure()

    def configure(self, spdk_dir=machine.SPDK, target=(), **options):
        """Write the configuration.

        :param spdk_dir: which SPDK.
        :param target: dict of options of the target.
        :param options: of the group ``[spdk]``.
        """
        options = {'spdk_dir': spdk_dir, 'nvmf_targets': 'nvmf',
                   'vhost_targets': '', 'iscsi_targets': '',
                   'start_timeout': machine.PATIENCE, **options}
        self.guest.write(machine.CONFIGURATION, '\n'.join([
            '[agent]', 'enabled_drivers = spdk_nvmf_driver', '[spdk]',
            *(f'{name} = {value}' for name, value in options.items()),
            '[nvmf]',
            *(f'{name} = {value}' for name, value in dict(target).items()),
            '']))

    def spdk(self, command, **options):
        """Run ``cyborg-spdk COMMAND`` in the guest."""
        return self.guest.run(f'{machine.COMMAND} {command}', **options)

    def table(self, command, **options):
        """Rows of the table that a command shows (list of dict)."""
        return json.loads(self.spdk(f'{command} -f json', **options).stdout)

    def state(self, **options):
        """State of the target, and its pid."""
        # The exit status says the same.
        row, = self.table('status', check=False, **options)
        return row['State'], row['PID']

    def pid(self, **options):
        """Pid of the target, which has to be ready."""
        state, pid = self.state(**options)
        self.assertEqual('ready', state)
        return pid

    def refused(self, command, pattern, **options):
        """A command fails with one line of error."""
        done = self.spdk(command, check=False, **options)
        self.assertNotEqual(0, done.returncode, done.stdout)
        errors = [line for line in done.stderr.splitlines()
                  if line.startswith('ERROR')]
        self.assertEqual(1, len(errors), done.stderr)
        self.assertNotIn('Traceback', done.stderr)
        self.assertRegex(errors[0], pattern)

    def doctor(self, runs, prefix='', **options):
        """Findings, by check: list of (result, finding, remedy)."""
        done = self.guest.run(
            f'{prefix} {machine.COMMAND} doctor -f json', check=False,
            **options)
        self.assertEqual(0 if runs else 1, done.returncode, done.stdout)
        found = {}
        for row in json.loads(done.stdout):
            found.setdefault(row['Check'], []).append(
                (row['Result'], row['Finding'], row['Remedy']))
        return found

    def finds(self, found, check, result, pattern):
        for one in found.get(check, []):
            if one[0] == result and re.search(pattern, one[1]):
                return one
        return self.fail(f'{check}: no {result} {pattern!r} in {found}')

    def unit(self, *names):
        """Properties of the target's unit (dict)."""
        shown = self.guest.run(
            'systemctl show cyborg-spdk-nvmf '
            + ' '.join(f'-p {name}' for name in names)).stdout
        return dict(line.split('=', 1) for line in shown.splitlines())

    def pages(self):
        """Huge pages of both nodes (list of int)."""
        return [int(self.guest.run(f'cat {PAGES.format(node)}').stdout)
                for node in (0, 1)]

    def start_agent(self, *properties):
        """Start a service that does what Cyborg's agent does.

        It is ready when it has reported targets that run.
        """
        self.guest.run(
            'systemd-run --quiet --unit=agent --property=Type=notify '
            f'--property=TimeoutStartSec={machine.PATIENCE} '
            '--property=RemainAfterExit=no '
            + ''.join(f'--property={name} ' for name in properties)
            + f'{image.PYTHON}/bin/python '
            f'{machine.PROJECT}/tests/guest/agent.py '
            f'{machine.CONFIGURATION}')
