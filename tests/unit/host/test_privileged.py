# SPDX-License-Identifier: Apache-2.0

import os
import signal
import tempfile
import unittest

from oslo_config import cfg

from cyborg_spdk import conf as spdk_conf
from cyborg_spdk import exceptions
from cyborg_spdk.host import helper_daemon
from cyborg_spdk.host import privileged


class ValidationTest(unittest.TestCase):
    """What the functions refuse, whoever asks."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.top = os.path.realpath(directory.name)
        before = privileged.context.client_mode
        self.addCleanup(privileged.context.set_client_mode, before)
        privileged.context.set_client_mode(False)
        self.conf = cfg.ConfigOpts()
        self.conf([])
        spdk_conf.register(self.conf)
        for name in ('run_path', 'state_path'):
            self.conf.set_override(name, self.top, group='spdk')
        self.addCleanup(privileged.serve, None, None)
        privileged.serve(self.conf, (4242, 4242))

    def refused(self, pattern, name, *arguments,
                error=exceptions.PrivilegeError):
        with self.assertRaisesRegex(error, pattern) as caught:
            privileged.perform(name, arguments)
        self.assertEqual(1, len(str(caught.exception).splitlines()))

    def test_functions(self):
        for name in ('nothing', '', '__init__', 'os.system', 'perform', 7,
                     None, ['ask'], 'x' * 100000, 'ask\n'):
            self.refused('is nothing that the helper does', name)
        self.assertEqual(os.geteuid(), privileged.perform('ask', ()))

    def test_numbers_of_arguments(self):
        for name in privileged._FUNCTIONS:
            self.refused('as root: ', name, *range(12))

    def test_targets(self):
        for name in ('nvmf_tgt', '../x', '', None, 7, ['spdk_nvmf'],
                     'spdk_nvmf\n', '-x', 'spdk'):
            self.refused('is no target on this host', 'start_target', name,
                         '/x', [])
        self.refused("has the rpc_address .*/spdk_nvmf.sock, not '/x'",
                     'start_target', 'spdk_nvmf', '/x', [])

    def test_what_a_target_is_started_with(self):
        address = os.path.join(self.top, 'spdk_nvmf.sock')
        for further in (['-c'], ['--env-context=-d/tmp/x.so'], [7], '-',
                        None, ['--wait-for-rpc', '-L'], {'--wait-for-rpc': 1},
                        ['--wait-for-rpc'] * 2):
            self.refused('it is not started with', 'start_target',
                         'spdk_nvmf', address, further)

    def test_numbers_of_pages(self):
        sizes = privileged.hugepage_pools.sizes_kb()
        if not sizes:
            self.skipTest('this kernel has no huge pages')
        size_kb = privileged.hugepages.chosen_size_kb(self.conf)
        for count in (-1, 1.5, True, '1', None, 1 << 40):
            self.refused('is no number of huge pages', 'add_hugepages',
                         size_kb, [(None, count)])
        self.refused('is no size', 'add_hugepages', '2048', [])
        self.refused('are not those of the configuration', 'add_hugepages',
                     7, [], error=exceptions.HugepageError)
        self.refused('is no NUMA node', 'add_hugepages', size_kb,
                     [(0, 1)], error=exceptions.HugepageError)
        self.assertEqual([0], privileged.perform(
            'add_hugepages', (size_kb, [(None, 1 << 32)])))
        free_mb = privileged.meminfo.available_kb() // 1024
        if free_mb > 8192:
            self.refused('more than all targets need', 'add_hugepages',
                         size_kb, [(None, 8192 * 1024 // size_kb)],
                         error=exceptions.HugepageError)

    def test_signals(self):
        self.refused('signal 1 is not sent', 'signal_target', 'spdk_nvmf',
                     os.getpid(), 0, int(signal.SIGHUP))
        self.refused('does not serve spdk_nvmf', 'signal_target',
                     'spdk_nvmf', os.getpid(), 0, int(signal.SIGTERM))
        self.refused('is no process', 'signal_target', 'spdk_nvmf', -1, 0,
                     int(signal.SIGTERM))
        self.refused('is no target on this host', 'signal_target', 'x', 1,
                     0, int(signal.SIGTERM))

    def test_processes(self):
        for name, more in (('poll_target', [0]), ('release_target', [])):
            self.refused('is no process', name, '1', *more)
        self.refused('is no time', 'poll_target', 1, 'x')

    def test_devices(self):
        with tempfile.TemporaryDirectory() as empty:
            self.conf.set_override('spdk_dir', empty, group='spdk')
            self.refused('not found', 'bind_devices',
                         error=exceptions.NotInstalled)


class ConfigurationTest(unittest.TestCase):
    """What the helper takes for its configuration."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.path = os.path.join(directory.name, 'x.conf')
        with open(self.path, 'w') as stream:
            stream.write('[spdk]\nrun_path = /run/x\n')

    @unittest.skipIf(os.geteuid(), 'only root can make files of root')
    def test_root_only(self):
        self.assertEqual('/run/x', helper_daemon.configuration(
            [self.path]).spdk.run_path)
        for change in (lambda: os.chmod(self.path, 0o666),
                       lambda: os.chmod(self.path, 0o664),
                       lambda: os.chown(self.path, 4242, 0)):
            os.chmod(self.path, 0o644)
            change()
            with self.assertRaisesRegex(exceptions.PrivilegeError,
                                        'not used as root'):
                helper_daemon.configuration([self.path])

    @unittest.skipIf(os.geteuid(), 'only root can make files of root')
    def test_no_variable_of_the_environment(self):
        self.addCleanup(os.environ.pop, 'OS_SPDK__RUN_PATH', None)
        os.environ['OS_SPDK__RUN_PATH'] = '/tmp/mine'
        self.assertEqual('/run/x', helper_daemon.configuration(
            [self.path]).spdk.run_path)

    def test_files_that_are_none(self):
        for path in ('/nonexistent', '/etc', '/dev/zero'):
            with self.assertRaises(exceptions.PrivilegeError):
                helper_daemon.configuration([path])

    def test_names_of_functions(self):
        """oslo.privsep would import whatever module is named."""
        for message in (
                (3, 'antigravity.x', ('ask', ()), {}),
                (3, 'os.system', (), {}),
                (3, helper_daemon._ENTRY, ('ask',), {}), 7, None, (), (3,),
                (3, helper_daemon._ENTRY, ('ask', ()), {'name': 'x'}),
                (6, {}), ('3', helper_daemon._ENTRY, ('ask', ()), {})):
            self.assertEqual((3, helper_daemon._ENTRY, ('', ()), {}),
                             helper_daemon._vetted(message))
        good = (3, helper_daemon._ENTRY, ('ask', ()), {})
        self.assertIs(good, helper_daemon._vetted(good))
        self.assertEqual((1,), helper_daemon._vetted((1, 'x')))


class HelperTest(unittest.TestCase):

    def test_no_way_to_root(self):
        conf = cfg.ConfigOpts()
        conf([])
        spdk_conf.register(conf)
        conf.set_override('privsep_helper_command', '/nonexistent/helper',
                          group='spdk')
        before = privileged.context.client_mode
        privileged.context.set_client_mode(True)
        self.addCleanup(privileged.context.set_client_mode, before)
        with self.assertRaisesRegex(
                exceptions.PrivilegeError, 'has no way to root for mount '
                'hugetlbfs: /nonexistent/helper: No such file'):
            privileged.mount_hugetlbfs(conf)
