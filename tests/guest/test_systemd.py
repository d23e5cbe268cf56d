# SPDX-License-Identifier: Apache-2.0

"""Where systemd is PID 1, a target is a unit of its own."""

from tests.guest import case


class UnitTest(case.GuestTest):

    def test_what_systemctl_shows(self):
        self.spdk('target start')
        shown = self.unit('Description', 'ActiveState', 'MainPID',
                          'Transient', 'LimitMEMLOCK')
        self.assertEqual(
            {'Description': 'SPDK target nvmf', 'ActiveState': 'active',
             'MainPID': str(self.pid()), 'Transient': 'yes',
             'LimitMEMLOCK': 'infinity'}, shown)
        self.assertIn('nvmf_tgt -r /run/cyborg-spdk/nvmf.sock',
                      self.guest.run('systemctl status --no-pager '
                                     'cyborg-spdk-nvmf').stdout)

    def test_it_outlives_the_agent(self):
        self.start_agent()
        pid = self.pid()
        self.guest.run('systemctl stop agent')
        self.assertEqual(pid, self.pid())
        self.start_agent()
        self.assertEqual(pid, self.pid())

    def test_killed_again_and_again(self):
        pids = set()
        for _ in range(3):
            self.spdk('discover')
            pid = self.pid()
            pids.add(pid)
            self.guest.run(f'kill -9 {pid}; '
                           'while systemctl -q is-active cyborg-spdk-nvmf; '
                           'do :; done')
            self.assertEqual(
                {'ActiveState': 'failed', 'Result': 'signal'},
                self.unit('ActiveState', 'Result'))
        self.assertEqual(3, len(pids), pids)
        # An emulated machine is too slow for the first pauses.
        self.guest.run("sed -i 's/\"starts\": 3/\"starts\": 9/' "
                       '/run/cyborg-spdk/nvmf.starts')
        self.refused('discover', 'nvmf: it has died 9 times soon after it '
                     'was started; the next start is due in')
        # The operator does not wait; the failed unit is not in the way.
        self.spdk('target start')
        self.assertEqual(str(self.pid()), self.unit('MainPID')['MainPID'])

    def test_stopped(self):
        self.spdk('target start')
        self.spdk('target stop')
        self.assertEqual({'LoadState': 'not-found'}, self.unit('LoadState'))

    def test_stopped_by_systemctl(self):
        self.spdk('target start')
        self.guest.run('systemctl stop cyborg-spdk-nvmf')
        self.assertEqual(('stopped', None), self.state())
        self.spdk('target start')
        self.pid()

    def test_one_that_dies_at_its_start(self):
        self.configure(target={'extra_args': '--no-such-option'})
        self.refused('target start', r'nvmf: .*it ended before it was ready: '
                     r'this release of SPDK does not know an option.*exit '
                     r'code 2.*--no-such-option')

    def test_a_unit_of_that_name_that_has_failed(self):
        self.guest.run('systemd-run --quiet --wait --unit=cyborg-spdk-nvmf '
                       'false', check=False)
        self.spdk('target start')
        self.pid()

    def test_a_unit_of_that_name_that_is_not_ours(self):
        self.guest.run('systemd-run --quiet --unit=cyborg-spdk-nvmf sleep '
                       'infinity')
        self.refused('target start', 'nvmf: .*cyborg-spdk-nvmf.service runs '
                     'already.*systemctl stop cyborg-spdk-nvmf.service')
        self.assertEqual({'ActiveState': 'active'},
                         self.unit('ActiveState'))
