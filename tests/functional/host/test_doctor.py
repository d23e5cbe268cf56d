# SPDX-License-Identifier: Apache-2.0

import json
import os
import subprocess
import sys

import fixtures

from cyborg_spdk.host.doctor import checks as doctor_checks
from cyborg_spdk.host.target import lifecycle
from cyborg_spdk.host.target import status as target_status
from tests.functional.fixtures import host


class DoctorTest(fixtures.TestWithFixtures):

    def host(self, **names):
        return self.useFixture(host.Host(names or None))

    def problems(self, one):
        findings = doctor_checks.examine(one.conf)
        return doctor_checks.could_run(one.conf, findings), [
            finding for finding in findings
            if finding.level == doctor_checks.FAILURE]

    def assert_problem(self, one, text, remedy, runs=False):
        could, found = self.problems(one)
        self.assertEqual(runs, could, found)
        for problem in found:
            if text in problem.text:
                self.assertIn(remedy, problem.remedy)
                return
        self.fail(f'{text!r} is not in {found}')

    def test_a_machine_in_order(self):
        one = self.host()
        self.assertEqual((True, []), self.problems(one))
        # Nothing was changed.
        self.assertFalse(os.path.exists(one.path('run')))
        self.assertFalse(os.path.exists(one.path('state')))
        lifecycle.ensure(one.conf, one.target())
        self.assertEqual((True, []), self.problems(one))

    def test_no_spdk(self):
        one = self.host()
        one.set('spdk', spdk_dir=one.path('none'))
        self.assert_problem(one, 'it does not exist', 'correct the path')

    def test_a_program_that_is_missing(self):
        one = self.host(nvmf=['nvmf'], vhost=['vhost'])
        one.install_program('vhost', '')
        os.unlink(one.path('spdk', 'build', 'bin', 'vhost'))
        self.assert_problem(one, "SPDK's vhost not found",
                            'build or install vhost too', runs=True)

    def test_a_program_for_another_cpu(self):
        one = self.host()
        one.install_program('nvmf_tgt', '')
        path = one.path('spdk', 'build', 'bin', 'nvmf_tgt')
        with open(path, 'w') as stream:
            stream.write('#!/bin/sh\nkill -ILL $$\n')
        self.assert_problem(one, 'was built for another CPU',
                            'build SPDK on this machine')

    def test_a_directory_that_others_can_write(self):
        one = self.host()
        os.mkdir(one.path('run'))
        os.chmod(one.path('run'), 0o777)
        self.assert_problem(one, 'can be written by others', 'chmod go-w')

    def test_a_directory_that_cannot_be_made(self):
        one = self.host()
        one.set('spdk', state_path=one.path('no', 'state'))
        self.assert_problem(one, 'no does not exist', 'make it')

    def test_somebody_else_at_the_socket(self):
        one = self.host(nvmf=['nvmf'], vhost=['vhost'])
        lifecycle.ensure(one.conf, one.target('nvmf'))
        one.set('vhost', rpc_address=one.target('nvmf').rpc_address)
        self.assert_problem(one, 'which is no vhost',
                            'rpc_address to another path', runs=True)
        self.assertEqual(target_status.FOREIGN, target_status.look(
            one.conf, one.target('vhost')).state)

    def test_no_directory_for_a_socket(self):
        one = self.host(nvmf=['nvmf'], vhost=['vhost'])
        one.set('vhost', rpc_address=one.path('none', 'x.sock'))
        self.assert_problem(one, 'the directory of rpc_address, does not '
                            'exist', 'correct the path', runs=True)

    def test_no_such_group(self):
        one = self.host()
        one.set('spdk', socket_group='no-such-group-here')
        self.assert_problem(one, 'no-such-group-here', 'make it')

    def test_no_such_device(self):
        one = self.host()
        one.set('spdk', pci_devices=['ffff:ff:1f.7'])
        self.assert_problem(one, 'ffff:ff:1f.7', 'lspci -D')

    def test_the_command(self):
        one = self.host()
        for spdk_dir, status in ((one.conf.spdk.spdk_dir, 0),
                                 (one.path('none'), 1)):
            one.set('spdk', spdk_dir=spdk_dir)
            done = subprocess.run(
                [sys.executable, '-m', 'cyborg_spdk.cli.main',
                 '--config-file', one.config_file(), 'doctor', '-f',
                 'json'], capture_output=True, text=True,
                timeout=host.PATIENCE, check=False)
            self.assertEqual(status, done.returncode, done)
            results = {row['Check']: row['Result']
                       for row in json.loads(done.stdout)}
            self.assertEqual('failure' if status else 'ok',
                             results['installation'])


class SurveyTest(fixtures.TestWithFixtures):

    def test_states(self):
        one = self.useFixture(host.Host())
        self.assertEqual(target_status.STOPPED,
                         target_status.look(one.conf, one.target()).state)
        one.set('nvmf', extra_args=one.conf.nvmf.extra_args
                + ['--wait-for-rpc'])
        pid = lifecycle.ensure(one.conf, one.target()).process.pid
        found = target_status.look(one.conf, one.target())
        self.assertEqual((target_status.WAITING, pid, os.geteuid()),
                         (found.state, found.pid, found.user))
        self.assertIn('SPDK', found.version)
        one.client().call('framework_start_init')
        self.assertEqual(target_status.READY,
                         target_status.look(one.conf, one.target()).state)
        lifecycle.stop(one.conf, one.target(), hold=True)
        found = target_status.look(one.conf, one.target())
        self.assertEqual(target_status.STOPPED, found.state)
        self.assertIn('kept down', found.problem)

    def test_a_release_that_does_not_tell_its_version(self):
        one = self.useFixture(host.Host())
        one.install_program('nvmf_tgt', host.BECOME_SIMULATOR)
        one.set('nvmf', extra_args=['--spdk-version', 'v18.01'],
                save_config=False)
        lifecycle.ensure(one.conf, one.target())
        found = target_status.look(one.conf, one.target())
        self.assertEqual((target_status.READY, 'SPDK v18.01'),
                         (found.state, found.version))
