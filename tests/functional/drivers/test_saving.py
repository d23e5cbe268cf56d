# SPDX-License-Identifier: Apache-2.0

"""What the command changes is there again after the target's end."""

import json
import os
import signal
import subprocess
import time

from oslo_config import cfg
import psutil

from cyborg_spdk import clients
from cyborg_spdk.desired import keep
from cyborg_spdk.desired import starting
from cyborg_spdk.desired import store
from cyborg_spdk.host.target import lifecycle
from tests.functional.cli import test_drivers as cli_tests
from tests.functional.units import test_attach as attach_tests

NEW = 'nqn.2016-06.io.spdk:new'

_NULL = ('bdev', 'create', 'null', 'N1', '4MiB')


class SavingTest(cli_tests.CommandCase, attach_tests.NvmfCase):

    def die(self):
        """The target ends, without a word, and is started again."""
        target = self.targets.target('spdk_nvmf')
        process = psutil.Process(lifecycle.status(cfg.CONF, target).pid)
        process.send_signal(signal.SIGKILL)
        deadline = time.monotonic() + 60
        while process.is_running() \
                and process.status() != psutil.STATUS_ZOMBIE:
            self.assertLess(time.monotonic(), deadline)
        starting.ensure(cfg.CONF, target, force=True)
        self.target = clients.NvmfTgt(self.targets.client('spdk_nvmf'))

    def subsystem(self, nqn=attach_tests.NQN):
        return self.target.find_subsystem(nqn)

    def saved(self):
        path = store.path(cfg.CONF, self.targets.target('spdk_nvmf'))
        if not os.path.exists(path):
            return None
        with open(path) as stream:
            return stream.read()

    def test_what_is_created(self):
        _out, err = self.succeed('nvmf', 'subsystem', 'create', NEW)
        self.assertEqual('', err)
        self.die()
        self.assertIsNotNone(self.subsystem(NEW))
        # With all the rest that the target had.
        self.assertEqual(1, len(self.subsystem().namespaces))

    def test_what_is_deleted(self):
        self.succeed('nvmf', 'subsystem', 'create', NEW)
        self.succeed('nvmf', 'subsystem', 'delete', NEW)
        self.succeed('bdev', 'delete', 'Null0', '-t', 'spdk_nvmf')
        self.die()
        self.assertIsNone(self.subsystem(NEW))
        self.assertEqual((), tuple(self.subsystem().namespaces))

    def test_who_is_let_in(self):
        handle = json.dumps(self.handle)
        self.succeed('attach', handle, attach_tests.HOST)
        self.die()
        self.assertEqual([attach_tests.HOST], list(self.subsystem().hosts))
        self.succeed('detach', handle, attach_tests.HOST)
        self.die()
        self.assertEqual([], list(self.subsystem().hosts))

    def test_what_discover_finds(self):
        self.assertIsNone(self.saved())
        out, err = self.succeed('discover', '--driver', 'spdk_nvmf_driver')
        self.assertIn(attach_tests.NQN, out)
        self.assertEqual('', err)
        self.die()
        self.assertEqual(1, len(self.subsystem().namespaces))

    def test_what_only_looks_saves_nothing(self):
        self.succeed('nvmf', 'subsystem', 'list')
        self.succeed('bdev', 'list', '-t', 'spdk_nvmf')
        self.refused('nvmf', 'subsystem', 'delete', NEW)
        self.assertIsNone(self.saved())

    def test_what_the_command_was_about_needs_no_confirmation(self):
        self.save()
        self.target.nvmf_delete_subsystem(attach_tests.NQN)
        # An hour would be too long for this test.
        self.assertTrue(self.save(confirm=3600,
                                  expected=[attach_tests.NQN]))
        self.assertNotIn(attach_tests.NQN, self.saved())
        self.target.bdev_delete('Null0')
        self.assertTrue(self.save(confirm=0, expected=['other']))

    def save(self, **options):
        return keep.look(
            cfg.CONF, self.targets.target('spdk_nvmf'), self.client,
            **options).written

    def test_an_address_that_is_configured_and_one_that_is_not(self):
        link = self.targets.path('link')
        path = self.targets.target('spdk_nvmf').rpc_address
        os.symlink(path, link)
        self.succeed(*_NULL, '-a', link)
        self.assertIsNone(self.saved())
        self.succeed('bdev', 'resize', 'N1', '8MiB', '-a', path)
        self.assertIn('N1', self.saved())

    def test_a_user_who_may_not(self):
        """Is not told of it: the change itself was allowed."""
        state = self.targets.path('state')
        os.chmod(state, 0o555)
        self.addCleanup(os.chmod, state, 0o750)
        drop = []
        if os.geteuid() == 0:
            # Root may whatever the mode is, unless he gives that away.
            drop = ['setpriv', '--bounding-set', '-dac_override']
        for args in ([*_NULL, '-t', 'spdk_nvmf'],
                     ['discover', '--driver', 'spdk_nvmf_driver']):
            done = subprocess.run(
                [*drop, *self.command(*args)], stdin=subprocess.DEVNULL,
                capture_output=True, text=True, timeout=120)
            self.assertEqual((0, ''), (done.returncode, done.stderr), args)
        self.assertEqual([], [name for name in os.listdir(state)
                              if name.startswith('spdk_nvmf')])

    def test_a_file_that_cannot_be_replaced(self):
        """The change was made; that it was not saved is told."""
        path = self.targets.path('state', 'spdk_nvmf.desired.json')
        os.mkdir(path)
        self.addCleanup(os.rmdir, path)
        out, err = self.succeed(*_NULL, '-t', 'spdk_nvmf')
        self.assertIn('bdev N1', out)
        self.assertIn('its configuration was not saved', err)
        self.assertEqual(1, len(err.splitlines()), err)
