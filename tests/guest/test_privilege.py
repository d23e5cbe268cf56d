# SPDX-License-Identifier: Apache-2.0

"""An unprivileged agent, with sudo and the privileged helper."""

from tests.guest import case
from tests.guest import image

_HELPER = f'{image.PYTHON}/bin/cyborg-spdk-privileged'


class PrivilegeTest(case.GuestTest):

    def setUp(self):
        super().setUp()
        self.guest.write('/etc/sudoers.d/cyborg',
                         f'cyborg ALL=(root) NOPASSWD: {_HELPER} ""\n', '440')

    def configure(self, *args, **options):
        super().configure(*args, **{
            'privsep_helper_command': f'sudo -n {_HELPER}',
            'socket_group': 'cyborg', **options})

    def test_in_huge_pages(self):
        self.configure(case.HUNGRY, target={'memory_mb': 512},
                       hugepage_nodes='0,1')
        self.spdk('doctor', user='cyborg')
        self.start_agent('User=cyborg')
        self.assertEqual([128, 128], self.pages())
        pid = self.pid(user='cyborg')
        self.assertEqual(
            {'MainPID': str(pid), 'User': '', 'Description':
             'SPDK target nvmf'},
            self.unit('MainPID', 'User', 'Description'))
        self.guest.run('systemctl stop agent')
        self.assertEqual(pid, self.pid(user='cyborg'))
        self.start_agent('User=cyborg')
        self.assertEqual(pid, self.pid(user='cyborg'))
        # Who else may talk to it, and read what it writes?
        self.refused('bdev list -a /run/cyborg-spdk/nvmf.sock',
                     'permission denied|may not enter', user='nobody')
        self.guest.run('cat /run/cyborg-spdk/nvmf.log', user='cyborg')
        self.guest.run('systemctl stop agent')
        self.spdk('target stop', user='cyborg')
        self.assertEqual({'LoadState': 'not-found'}, self.unit('LoadState'))

    def test_without_huge_pages(self):
        """It runs as the agent's user, and outlives the agent all the same.
        """
        self.configure(target={'no_huge': 'true', 'memory_mb': 512})
        self.start_agent('User=cyborg')
        pid = self.pid(user='cyborg')
        uid = self.guest.run('id -u cyborg').stdout.strip()
        self.assertEqual({'MainPID': str(pid), 'User': uid},
                         self.unit('MainPID', 'User'))
        self.assertEqual([0, 0], self.pages())
        self.guest.run('systemctl stop agent')
        self.assertEqual(pid, self.pid(user='cyborg'))
        self.spdk('target stop', user='cyborg')
        self.assertEqual({'LoadState': 'not-found'}, self.unit('LoadState'))
