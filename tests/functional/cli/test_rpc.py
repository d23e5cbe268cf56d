# SPDX-License-Identifier: Apache-2.0

"""``cyborg-spdk rpc`` as a process."""

import json
import os
import subprocess
import sys

import fixtures

from cyborg_spdk import text as texts
from tests.functional.fixtures import clients
from tests.functional.fixtures import target

_COMMAND = [sys.executable, '-m', 'cyborg_spdk.cli.main', 'rpc']

_RPC_PY = """
from spdk import spdk_rpc
import sys
sys.argv = ['rpc.py', '--server']
spdk_rpc.main()
"""

_PLUGIN = '''
def hello(args):
    name, = [one['name'] for one in args.client.bdev_get_bdevs()
             if one['name'] == args.name]
    print('hello', name)


def spdk_rpc_plugin_initialize(subparsers):
    parser = subparsers.add_parser('hello', help='say hello')
    parser.add_argument('name')
    parser.set_defaults(func=hello)
'''


def run(*arguments, text='', **env):
    """Run the command; returns (status, output, errors)."""
    done = subprocess.run([*_COMMAND, *arguments], input=text, text=True,
                          capture_output=True, timeout=target.PATIENCE,
                          env={**os.environ, **env})
    return done.returncode, done.stdout, done.stderr


class TargetTestCase(fixtures.TestWithFixtures):

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.target = target.Target()
        cls.target.setUp()
        cls.addClassCleanup(cls.target.cleanUp)

    def rpc(self, *arguments, **more):
        return run('-s', self.target.socket, *arguments, **more)


class CommandTest(TargetTestCase):

    def test_names_do_nothing_to_a_terminal(self):
        name = 'a\x9b2J\x1b\nERROR: \u202eb'
        params = {'name': name, 'num_blocks': 8, 'block_size': 512}
        status, out, err = self.rpc(
            '--batch', '-', text=json.dumps(
                {'method': 'bdev_malloc_create', 'params': params}) + '\n')
        self.assertEqual((0, name), (status, json.loads(out)), err)
        try:
            for more in ([], ['--batch', '-']):
                _, found, _ = self.rpc(
                    *(more or ['bdev_get_bdevs']), text='bdev_get_bdevs\n')
                self.assertIn(name, [one['name']
                                     for one in json.loads(found)])
                self.assertNotRegex(out + found, '[\x1b\x9b\u202e]')
            if hasattr(os, 'openpty'):
                self.assertEqual(texts.printable(name),
                                 self.on_a_terminal('bdev_malloc_create',
                                                    f'name={name}x',
                                                    'num_blocks=8',
                                                    'block_size=512')[:-1])
        finally:
            for one in (name, name + 'x'):
                self.rpc('bdev_malloc_delete', f'name={one}')

    def on_a_terminal(self, *arguments):
        """The first line that a terminal gets."""
        ours, theirs = os.openpty()
        with open(ours, encoding='utf-8', newline='\n') as stream:
            subprocess.run(
                [*_COMMAND, '-s', self.target.socket, *arguments],
                stdin=subprocess.DEVNULL, stdout=theirs, check=True,
                timeout=target.PATIENCE)
            os.close(theirs)
            return stream.readline().rstrip('\r\n')

    def setUp(self):
        super().setUp()
        self.maxDiff = None

    def test_calls(self):
        self.assertEqual((0, 'Cli0\n', ''), self.rpc(
            'bdev_null_create', 'name=Cli0', 'num_blocks=2048',
            'block_size=512'))
        status, out, err = self.rpc('bdev_get_bdevs', 'name=Cli0')
        self.assertEqual((0, ''), (status, err))
        self.assertEqual(['Cli0'], [one['name'] for one in json.loads(out)])
        self.assertEqual((0, 'true\n', ''),
                         self.rpc('bdev_null_delete', 'name=Cli0'))

    def test_text_that_looks_like_a_number(self):
        nqn = 'nqn.2016-06.io.spdk:cli'
        self.assertEqual(0, self.rpc('nvmf_create_transport',
                                     'trtype=TCP')[0])
        self.assertEqual((0, 'true\n', ''), self.rpc(
            'nvmf_create_subsystem', f'nqn={nqn}', 'serial_number=00012',
            'allow_any_host=true', 'max_namespaces:=4'))
        self.assertEqual((0, 'true\n', ''), self.rpc(
            'nvmf_subsystem_add_listener', f'nqn={nqn}',
            'listen_address.trtype=TCP', 'listen_address.adrfam=IPv4',
            'listen_address.traddr=127.0.0.1',
            f'listen_address.trsvcid={clients.free_port()}'))
        subsystem, = json.loads(self.rpc('nvmf_get_subsystems',
                                         f'nqn={nqn}')[1])
        self.assertEqual(('00012', 4), (subsystem['serial_number'],
                                        subsystem['max_namespaces']))

    def test_errors_are_one_line(self):
        cases = [
            (1, 'No such device', ['bdev_get_bdevs', 'name=nosuch']),
            (1, 'did you mean bdev_get_bdevs?', ['bdev_get_bdev']),
            (1, 'start the target', ['-s', '/nowhere/sock', 'x']),
            (2, 'use /path', ['-s', 'nowhere', 'x']),
            (2, 'write it as key=value', ['x', 'name']),
            (2, 'is given twice', ['x', 'a=1', 'a=2']),
            (2, 'a value of its own', ['x', 'a=1', 'a.b=2']),
            (2, 'is not JSON', ['x', 'a={"b"']),
            (2, 'is not JSON', ['x', 'a:=NaN']),
            (2, 'cannot be read', ['--batch', '/nowhere/file'])]
        for status, words, arguments in cases:
            with self.subTest(arguments):
                result = self.rpc(*arguments)
                self.assertEqual((status, ''), result[:2])
                self.assertIn(words, result[2])
                self.assertEqual(1, result[2].count('\n'), result[2])

    def test_usage(self):
        for arguments in ([], ['--server', 'x'], ['-t', '0', 'x'],
                          ['-t', 'x', 'x'], ['--in-order', 'x'],
                          ['--bogus'], ['--batch', 'x', '--server']):
            with self.subTest(arguments):
                status, out, err = self.rpc(*arguments)
                self.assertEqual((2, ''), (status, out))
                self.assertIn('usage: cyborg-spdk rpc', err)
        status, out, err = self.rpc('--help')
        self.assertEqual((0, ''), (status, err))
        self.assertIn('--batch FILE', out)

    def test_verbose_says_who_answered(self):
        err = self.rpc('-v', 'spdk_get_version')[2]
        self.assertIn(f'process {self.target.process.pid}', err)
        self.assertIn('SPDK v', err)

    def test_batch(self):
        text = ('# two ways to write a call\n\n'
                'bdev_null_create name=Batch0 num_blocks=2048 '
                'block_size=512\n'
                '{"method": "bdev_null_create", "params": {"name": "Batch1",'
                ' "num_blocks": 2048, "block_size": 512}}\n')
        self.assertEqual((0, '"Batch0"\n"Batch1"\n', ''),
                         self.rpc('--batch', '-', text=text))
        path = self.useFixture(fixtures.TempDir()).join('calls')
        with open(path, 'w') as file:
            file.write('bdev_get_bdevs name=nosuch\n'
                       "bdev_null_delete 'name=Batch0'\n")
        status, out, err = self.rpc('--batch', path)
        self.assertEqual((1, 'null\ntrue\n'), (status, out))
        self.assertIn('No such device', err)
        status, out, err = self.rpc('--batch', '-', '--in-order',
                                    text='bdev_null_delete name=nosuch\n'
                                         'bdev_null_delete name=Batch1\n')
        self.assertEqual((1, 'null\n'), (status, out))
        self.assertEqual(0, self.rpc('bdev_null_delete', 'name=Batch1')[0])

    def test_bad_batches(self):
        for text, words in [('{"method": 5}\n', 'line 1 of -'),
                            ('\n{"method"\n', 'line 2 of -'),
                            ("x 'a=1\n", 'No closing quotation'),
                            ('x a\n', 'key=value')]:
            with self.subTest(text):
                status, out, err = self.rpc('--batch', '-', text=text)
                self.assertEqual((2, ''), (status, out))
                self.assertIn(words, err)
        self.assertEqual((0, '', ''), self.rpc('--batch', '-', text='\n'))

    def test_nothing_heavy_is_imported(self):
        done = subprocess.run(
            [sys.executable, '-X', 'importtime', *_COMMAND[1:], '-s',
             self.target.socket, 'spdk_get_version'], text=True,
            capture_output=True, timeout=target.PATIENCE)
        imported = {line.rpartition('|')[2].strip()
                    for line in done.stderr.splitlines()}
        self.assertIn('cyborg_spdk.rpc', imported)
        for name in ('cliff', 'oslo_config', 'concurrent.futures', 'ssl',
                     'logging', 'subprocess', 'dataclasses', 'inspect',
                     'asyncio', 'cyborg'):
            self.assertNotIn(name, imported)
        # What one call does without.
        ours = 'cyborg_spdk.rpc.'
        self.assertIn(f'{ours}protocol.checks', imported)
        for name in ('protocol.catalogue', 'protocol.parameters',
                     'protocol.refusals', 'protocol.releases',
                     'protocol.version', 'serving.batches', 'serving.bulk',
                     'serving.futures', 'transport.ssh'):
            self.assertNotIn(ours + name, imported)


class ServerTest(TargetTestCase):
    """The same lines to our server and to rpc.py's."""

    def setUp(self):
        super().setUp()
        self.maxDiff = None
        self.plugins = self.useFixture(fixtures.TempDir()).path
        with open(os.path.join(self.plugins, 'hello_plugin.py'), 'w') as file:
            file.write(_PLUGIN)

    def lines(self, text):
        return text.replace('@', f'-s {self.target.socket}')

    def ours(self, text):
        status, out, err = run('--server', text=self.lines(text),
                               PYTHONPATH=self.plugins)
        self.assertEqual(0, status, err)
        return out, err

    def theirs(self, text):
        return subprocess.run(
            [sys.executable, '-c', _RPC_PY],
            input=self.lines(text), text=True, capture_output=True,
            timeout=target.PATIENCE,
            env={**os.environ, 'PYTHONPATH': self.plugins}).stdout

    def test_the_output_is_that_of_rpc_py(self):
        # Everything that is made is deleted, so that both find the same.
        text = (
            '@ bdev_get_bdevs\n'
            '@ bdev_malloc_create -b M0 -u '
            '6b4b1c6a-5f0c-4d37-b8a6-8f31d2ad0f11 8 512\n'
            '@ bdev_get_bdevs -b M0\n'
            '@ bdev_get_bdevs --name "M0"\n'
            '@ bdev_malloc_create -b M0 8 512\n'
            '@ --plugin hello_plugin hello M0\n'
            '@ hello M0\n'
            '@ --plugin no_such_plugin bdev_get_bdevs -b nosuch\n'
            '@ -t 5 nvmf_create_transport -t TCP\n'
            '@ nvmf_create_subsystem nqn.2016-06.io.spdk:s1 -a -s SN1\n'
            '@ nvmf_subsystem_add_ns nqn.2016-06.io.spdk:s1 M0\n'
            '@ nvmf_subsystem_add_ns nqn.2016-06.io.spdk:s1 nosuch\n'
            '@ nvmf_get_subsystems\n'
            '@ nvmf_delete_subsystem nqn.2016-06.io.spdk:s1\n'
            '@ bdev_malloc_delete M0\n'
            '@ bdev_malloc_delete M0\n'
            '@ spdk_get_version\n'
            '@ log_get_flags\n'
            '@ rpc_get_methods\n'
            '@ -t 0 spdk_get_version\n'
            '-s /nowhere/sock spdk_get_version\n'
            f'-s {self.plugins} spdk_get_version\n'
            '@ no_such_command\n'
            '@ bdev_malloc_create\n'
            '@ bdev_malloc_delete --help\n'
            '@ spdk_get_version')
        ours, theirs = self.ours(text)[0], self.theirs(text)
        self.assertIn('SN1', ours)
        # A transport can be made once.
        self.assertEqual(
            _without_transport(theirs), _without_transport(ours))
        self.assertEqual(26, ours.count('**STATUS='))

    def test_a_line_that_cannot_be_parsed_ends_nothing(self):
        out, err = self.ours('@ "spdk_get_version\n\n@ log_get_level\n')
        self.assertEqual(['**STATUS=1', '**STATUS=1', '"NOTICE"',
                          '**STATUS=0'], out.splitlines())
        self.assertIn('No closing quotation', err)

    def test_the_target_ends_and_comes_back(self):
        own = self.useFixture(target.Target())
        server = subprocess.Popen(
            [*_COMMAND, '--server', '-s', own.socket],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

        def ask(line):
            server.stdin.write(line + '\n')
            server.stdin.flush()
            answer = []
            while not answer or not answer[-1].startswith('**STATUS='):
                answer.append(server.stdout.readline().rstrip('\n'))
            return answer
        with server:
            self.assertEqual(['B0', '**STATUS=0'],
                             ask('bdev_null_create B0 8 512'))
            self.assertEqual('**STATUS=0', ask('spdk_kill_instance SIGTERM'
                                               )[-1])
            own.process.wait(target.PATIENCE)
            self.assertEqual('**STATUS=1', ask('bdev_get_bdevs')[-1])
            own.start()
            self.assertEqual(['[]', '**STATUS=0'], ask('bdev_get_bdevs'))
            server.stdin.close()
            self.assertEqual(0, server.wait(target.PATIENCE))

    def test_it_shares_the_core_of_a_target_when_asked(self):
        own = self.useFixture(target.Target())
        cores = os.sched_getaffinity(0)
        self._cores(own, cores, [], lambda wanted: cores)
        self._cores(own, cores, [], lambda wanted: cores,
                    CYBORG_SPDK_RPC_SHARE_CORE='0')
        self._cores(own, cores, ['--share-core'], lambda wanted: wanted)
        self._cores(own, cores, [], lambda wanted: wanted,
                    CYBORG_SPDK_RPC_SHARE_CORE='1')

    def _cores(self, own, cores, options, expected, **environ):
        server = subprocess.Popen(
            [*_COMMAND, '--server', *options, '-s', own.socket],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, **environ})
        with server:
            for wanted in ({min(cores)}, {max(cores)}, cores):
                os.sched_setaffinity(own.process.pid, wanted)
                server.stdin.write('bdev_get_bdevs\n')
                server.stdin.flush()
                self.assertEqual('[]\n', server.stdout.readline())
                self.assertEqual('**STATUS=0\n', server.stdout.readline())
                self.assertEqual(expected(wanted),
                                 os.sched_getaffinity(server.pid))
            server.stdin.close()

    def test_one_command_line_of_rpc_py(self):
        self.assertEqual(0, self.rpc('bdev_null_create', 'name=H0',
                                     'num_blocks=2048', 'block_size=512')[0])
        self.assertEqual((0, 'hello H0\n', ''), self.rpc(
            '--plugin', 'hello_plugin', 'hello', 'H0',
            PYTHONPATH=self.plugins))

    def test_without_the_package_spdk(self):
        with open(os.path.join(self.plugins, 'spdk.py'), 'w'):
            pass
        status, out, err = run('--server', PYTHONPATH=self.plugins)
        self.assertEqual((2, ''), (status, out))
        self.assertIn("pip install 'spdk>=26.5'", err)


def _without_transport(text):
    """Outputs of the commands, but for the one that works only once."""
    parts, part = [], []
    for line in text.splitlines():
        part.append(line)
        if line.startswith('**STATUS='):
            parts.append(part)
            part = []
    return parts[:8] + parts[9:] + [part]
