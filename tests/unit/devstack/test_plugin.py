# SPDX-License-Identifier: Apache-2.0

"""The DevStack plugin, sourced with stand-ins for DevStack's functions."""

import os
import subprocess

import fixtures
import testtools

_PLUGIN = os.path.join(os.path.dirname(__file__), '..', '..', '..',
                       'devstack')

#: What DevStack and the package have, writing down how they are called.
_STANDINS = r'''
function note { printf '%s\n' "$*" >> "$WORK/calls"; }
function is_service_enabled { [[ "$1" == "$SERVICE" ]]; }
function setup_package { note setup_package "$@"; }
function iniset { note iniset "$@"; }
function sudo { note sudo "$@"; }
function cyborg-spdk { note cyborg-spdk "$@"; return "${STATUS:-0}"; }
function cyborg-spdk-privileged { :; }
set -eu
DATA_DIR=$WORK/data STACK_USER=$(id -un)
source "$PLUGIN/settings"
source "$PLUGIN/plugin.sh" "$@"
'''


class TestPlugin(testtools.TestCase):

    def setUp(self):
        super().setUp()
        self.work = self.useFixture(fixtures.TempDir()).path
        self.conf = os.path.join(self.work, 'cyborg.conf')
        with open(self.conf, 'w'):
            pass

    def run_phase(self, *words, **environ):
        """Source the plugin; what was called, a line each."""
        done = subprocess.run(
            ['bash', '-c', _STANDINS, 'plugin', *words], text=True,
            capture_output=True, timeout=60, env={
                'PATH': os.environ['PATH'], 'WORK': self.work,
                'PLUGIN': _PLUGIN, 'SERVICE': 'cyborg-agent',
                'CYBORG_CONF': self.conf, **environ})
        self.assertEqual((0, ''), (done.returncode, done.stderr))
        path = os.path.join(self.work, 'calls')
        if not os.path.exists(path):
            return []
        with open(path) as stream:
            found = stream.read().splitlines()
        os.remove(path)
        return found

    def test_install(self):
        calls = self.run_phase('stack', 'install')
        self.assertEqual(1, len(calls), calls)
        self.assertTrue(calls[0].startswith('setup_package '), calls)

    def test_without_the_agent_nothing_is_done(self):
        for words in (['stack', 'install'], ['stack', 'post-config'],
                      ['unstack'], ['clean']):
            self.assertEqual([], self.run_phase(*words, SERVICE='nova-api'))

    def test_both_names_of_cyborgs_file(self):
        line = f'iniset {self.conf} agent enabled_drivers ' \
               'spdk_nvmf_driver,spdk_vhost_driver'
        self.assertIn(line, self.run_phase('stack', 'post-config'))
        self.assertIn(line, self.run_phase(
            'stack', 'post-config', CYBORG_CONF='',
            CYBORG_CONF_FILE=self.conf))

    def test_a_simulated_installation(self):
        calls = self.run_phase('stack', 'post-config')
        place = f'{self.work}/data/cyborg-spdk/simulated'
        self.assertIn(f'cyborg-spdk simulate install {place}', calls)
        self.assertIn(f'iniset {self.conf} spdk spdk_dir {place}', calls)
        self.assertNotIn('privsep_helper_command', ' '.join(calls))

    def test_a_real_installation_has_the_helper_and_its_own_file(self):
        calls = self.run_phase('stack', 'post-config', SPDK_DIR='/opt/spdk')
        for line in (
                f'iniset {self.conf} spdk spdk_dir /opt/spdk',
                'iniset -sudo /etc/cyborg_spdk/privileged.conf spdk '
                'spdk_dir /opt/spdk',
                f'iniset {self.conf} spdk privsep_helper_command sudo -n '
                'cyborg-spdk-privileged'):
            self.assertIn(line, calls)
        self.assertNotIn('simulate', ' '.join(calls))

    def test_unstack_stops_the_targets(self):
        stop = f'cyborg-spdk --config-file {self.conf} target stop'
        self.assertEqual([stop], self.run_phase('unstack'))
        # A target that cannot be stopped does not end DevStack's own.
        self.assertEqual([stop], self.run_phase('unstack', STATUS='1'))

    def test_clean_stops_them_before_it_removes(self):
        calls = self.run_phase('clean')
        self.assertEqual(2, len(calls), calls)
        self.assertIn('target stop', calls[0])
        self.assertIn(f'sudo rm -rf {self.work}/data/cyborg-spdk', calls[1])
        # Nothing was ever stacked.
        os.remove(self.conf)
        self.assertEqual(1, len(self.run_phase('clean')))
