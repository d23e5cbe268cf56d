# SPDX-License-Identifier: Apache-2.0

import unittest

from cyborg_spdk import conf as spdk_conf
from cyborg_spdk import exceptions
from cyborg_spdk.host import commandline
from cyborg_spdk.host.machine import installation
from cyborg_spdk.host.machine import spawn
from cyborg_spdk.host import process


def target(**options):
    values = {
        'name': 'nvmf', 'kind': 'nvmf', 'application': 'nvmf_tgt',
        'rpc_address': '/run/x.sock', 'start': True, 'core_mask': None,
        'memory_mb': 512, 'no_huge': False, 'interrupt_mode': False,
        'config_file': None, 'save_config': True, 'extra_args': (),
        'resource_class': 'CUSTOM_SPDK_NVMF'}
    return spdk_conf.Target(**values | options)


def spdk(version='SPDK v26.05 git sha1 d519b163cb'):
    return installation.Installation(
        {'nvmf_tgt': '/opt/spdk/build/bin/nvmf_tgt'}, None, version,
        '[spdk] spdk_dir', ('/opt/spdk',))


class BuildTest(unittest.TestCase):

    def build(self, options=None, version=None, **kwargs):
        return commandline.build(
            target(**options or {}), spdk(version or spdk().version),
            **kwargs)[1:]

    def test_table(self):
        r = ['-r', '/run/x.sock']
        for options, kwargs, expected in [
                ({}, {}, r + ['-s', '512']),
                ({'rpc_address': 'unix:/run/y'}, {},
                 ['-r', '/run/y', '-s', '512']),
                ({}, {'cores': {0, 2}}, r + ['-m', '0x5', '-s', '512']),
                ({'no_huge': True, 'memory_mb': 448},
                 {'huge_dir': '/dev/hugepages'},
                 r + ['-s', '448', '--no-huge']),
                ({}, {'huge_dir': '/dev/hugepages-1048576kB'},
                 r + ['-s', '512', '--huge-dir',
                      '/dev/hugepages-1048576kB']),
                ({'interrupt_mode': True}, {},
                 r + ['-s', '512', '--interrupt-mode']),
                ({'extra_args': ('--iova-mode=va', '-L', 'nvmf')}, {},
                 r + ['-s', '512', '--iova-mode=va', '-L', 'nvmf'])]:
            with self.subTest(options=options, kwargs=kwargs):
                self.assertEqual(expected, self.build(options, **kwargs))

    def test_methods_that_the_socket_takes(self):
        found = self.build({'rpcs_allowed': ('reading', 'bdev_get_bdevs',
                                             'nvmf_subsystem_add_host')})
        names = found[found.index('--rpcs-allowed') + 1].split(',')
        self.assertEqual(len(names), len(set(names)))
        for name in ('rpc_get_methods', 'spdk_get_version', 'bdev_get_bdevs',
                     'framework_start_init', 'nvmf_subsystem_add_host'):
            self.assertIn(name, names)
        self.assertNotIn('bdev_aio_create', names)
        for allowed, version, pattern in (
                (('reading',), 'SPDK v22.09', 'v22.09 takes all methods'),
                (('a,b',), None, 'name methods, or "reading"'),
                (('-c',), None, 'name methods')):
            with self.assertRaisesRegex(exceptions.ConfigurationError,
                                        pattern):
                self.build({'rpcs_allowed': allowed}, version)

    def test_older_releases_are_told_to_give_huge_pages_back(self):
        for version, options, expected in [
                ('SPDK v18.04', {}, False), ('SPDK v18.07', {}, True),
                ('SPDK v22.01.2', {}, True), ('SPDK v22.05', {}, False),
                ('SPDK', {}, False),
                ('SPDK v22.01', {'no_huge': True}, False),
                ('SPDK v22.01', {'extra_args': ('-i', '1')}, False),
                ('SPDK v22.01', {'extra_args': ('--shm-id=1',)}, False)]:
            with self.subTest(version, options=options):
                argv = self.build(options, version=version)
                self.assertEqual(expected, '--huge-unlink' in argv)

    def test_arguments_that_contradict_options(self):
        for argument, option in [
                ('-r/tmp/x', 'rpc_address'), ('--cpumask=0x1', 'core_mask'),
                ('-m', 'core_mask'), ('-s64', 'memory_mb'),
                ('--json', 'config_file'), ('--no-huge', 'no_huge')]:
            with self.subTest(argument), self.assertRaisesRegex(
                    exceptions.ConfigurationError,
                    rf'\[nvmf\] extra_args .*set the option {option}'):
                self.build({'extra_args': (argument,)})

    def test_no_such_program(self):
        with self.assertRaisesRegex(exceptions.NotInstalled, 'spdk_tgt'):
            self.build({'application': 'spdk_tgt'})


class UnitCommandTest(unittest.TestCase):

    def command(self, *argv, gid=-1, uid=0):
        return spawn.unit_command(
            list(argv), '/run/x/nvmf.log', '/var/lib/x', gid,
            'cyborg-spdk-nvmf', uid)

    def test_under_systemd(self):
        command = self.command('/opt/nvmf_tgt', '-r', '/run/x.sock', gid=7)
        self.assertTrue(command[0].endswith('/systemd-run'))
        where = command.index('--')
        self.assertEqual(['/opt/nvmf_tgt', '-r', '/run/x.sock'],
                         command[where + 1:])
        for option in ('--unit=cyborg-spdk-nvmf', '--property=Type=exec',
                       '--description=SPDK target nvmf',
                       '--property=Group=7', '--property=SendSIGKILL=no',
                       '--property=WorkingDirectory=/var/lib/x',
                       '--property=StandardError=append:/run/x/nvmf.log'):
            self.assertIn(option, command[:where])

    def test_as_a_user(self):
        self.assertIn('--property=User=7', self.command('/x', uid=7))
        self.assertNotIn('--property=User=0', self.command('/x'))

    def test_systemd_puts_no_variables_in(self):
        self.assertEqual('--x=$${HOME}',
                         self.command('/opt/nvmf_tgt', '--x=${HOME}')[-1])


class ProcessTest(unittest.TestCase):

    def test_a_clock_that_is_set_makes_no_other_process(self):
        found = [process.TargetProcess(
            pid=7, create_time=time, exe='/opt/nvmf_tgt',
            application='nvmf_tgt', rpc_address='/run/x.sock', uid=0,
            listening=True, ticks=12345) for time in (1.5e9, 1.4e9)]
        self.assertEqual(*found)


class RpcSocketTest(unittest.TestCase):

    def test_table(self):
        for arguments, expected in [
                ([], '/var/tmp/spdk.sock'), (['-r', '/a'], '/a'),
                (['-r/a'], '/a'), (['--rpc-socket', '/a'], '/a'),
                (['--rpc-socket=/a'], '/a'), (['-s', '1', '-r', 'a'], 'a'),
                (['-r', '/a', '-r', '/b'], '/b'),
                (['-r'], '/var/tmp/spdk.sock'),
                (['--rpcs-allowed', 'x'], '/var/tmp/spdk.sock')]:
            with self.subTest(arguments):
                self.assertEqual(expected, process.rpc_socket(
                    ['/opt/nvmf_tgt', *arguments]))
