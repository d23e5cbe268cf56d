# SPDX-License-Identifier: Apache-2.0

"""Command lines, right and wrong, and what surrounds a start."""

import fcntl
import json
import os
import signal
import socket

#: Option -> values, right ones first; None: it takes none.
_VALUES = {
    '-c': ('good.json', 'empty.json', 'nosuch.json', '.'),
    '--config': ('good.json', 'none.json'), '--json': ('good.json', ''),
    '--json-ignore-init-errors': None, '-d': None, '--limit-coredump': None,
    '-e': ('0x1', 'bdev', '0xFFFF', '', '0', 'nosuch', 'bdev:0x1',
           'bdev:zz', '0x3:0x1', 'bdev,nosuch', '0x10:'),
    '--tpoint-group': ('all', 'thread', 'zz'),
    '--tpoint-group-mask': ('0x1',),
    '-g': None, '--single-file-segments': None, '-h': None, '--help': None,
    '-i': ('7101', '-1', '-7', '0x1bbd', 'x', '', '-', '99999999999'),
    '--shm-id': ('7102', 'a1'),
    '-m': ('0x1', '1', '0x3', '[0]', '[0,1]', '[0-1]', '[1]', '2', '0', '',
           '[]', '[2]', '[a]', 'zz', '0x', '0x1z', '[0', '[0-]', '[1-0]',
           '0x8', '0X1', '01', ' 1', '1,1', '[0,,1]', '-l 0', '[ 0 ]',
           '0x10000000000000000', '[200]'),
    '--cpumask': ('0x1', '0x2', '0x0'),
    '--lcores': ('0', '0,1', '(0-1)', '0@0', '(0,1)@0', '1@0', '', 'x',
                 '0@9', '(0', '0@', '5@0'),
    '-n': ('1', '4', '0', '-1', 'x', '', '99999999999', '33', '255', '1000'),
    '--mem-channels': ('2', '0x2', '010'),
    '-p': ('0', '1', '-1', 'x', '5', '', '300'), '--main-core': ('0', 'b'),
    '--master-core': ('0', '1'),
    '-r': ('rpc.sock', 'rpc.sock/', './rpc.sock', '127.0.0.1:5260',
           'nodir/rpc.sock', '/', '.', 'x' * 108, 'x' * 120,
           '/proc/none/x'),
    '--rpc-socket': ('rpc.sock', '[::1]:5260'),
    '-s': ('300', '256M', '1G', '300000K', '0', '-1', 'x', '', '1x', '256m',
           '1.5', '0x100', '99999', '2147483648', '1048576B', '256MB', ' 256',
           '256 '),
    '--mem-size': ('270', '10'),
    '-u': None, '--no-pci': None, '-v': None, '--version': None,
    '-B': ('0000:00:01.0', '00:01.0', 'x', '', '1:2'),
    '--pci-blocked': ('0000:00:01.0',), '--pci-blacklist': ('0000:00:01.0',),
    '-A': ('0000:00:01.0', '00:01', 'zz:00.0'),
    '--pci-allowed': ('0000:00:01.0',), '--pci-whitelist': ('00:01.0',),
    '-W': ('0000:00:01.0',),
    '-L': ('bdev', 'all', 'nosuch', '', 'rpc', 'BDEV'),
    '--logflag': ('nvme', 'x'), '-R': None, '--huge-unlink': None,
    '--interrupt-mode': None, '--silence-noticelog': None,
    '--wait-for-rpc': None,
    '--huge-dir': ('/dev/hugepages', '/nosuch', ''),
    '--num-trace-entries': ('32768', '0', '3', '-1', 'x', '1', '64'),
    '--max-delay': ('100', 'x'),
    '--iova-mode': ('va', 'xx', ''), '--base-virtaddr': (
        '0x200000000000', '0', 'x', '-1'),
    '--env-context': ('--no-shconf', '--bogus', '', '--log-level=8'),
    '--disable-cpumask-locks': None,
    '--rpcs-allowed': ('rpc_get_methods,spdk_get_version', 'nosuch', '',
                       'rpc_get_methods', ',', 'rpc_get_methods,,'),
    '--vfio-vf-token': ('2ab74924-c335-45f4-9b16-8569e5b08258', 'x'),
    '--msg-mempool-size': ('262143', '1000', '0', '-1', 'x', '0x100'),
    '--no-huge': None, '--no-rpc-server': None, '--enforce-numa': None,
    '-f': ('pid', 'nodir/pid', ''), '-S': ('.', 'vhost', '', 'nodir/x'),
    '-b': None, '-q': None, '-Z': None, '--bogus': None, '-': None,
    '--': None, 'stray': None, '--wait': None, '--no': None, '--mem': ('5',),
    '--help=x': None, '--rpc': ('rpc.sock',), '-x1': None, '-?': None,
    '--rpc-socket-mode': ('600',), '--logfile': ('log',)}

_NULL = {'method': 'bdev_null_create', 'params': {
    'name': 'N', 'num_blocks': 2048, 'block_size': 512}}
_OPTIONS = {'method': 'bdev_set_options', 'params': {
    'bdev_io_pool_size': 4096, 'bdev_io_cache_size': 16}}


def _file(calls, name='bdev', **more):
    return json.dumps({'subsystems': [
        {'subsystem': name, 'config': calls, **more}]})


#: Configuration files; the first two work.
CONFIGURATIONS = (
    _file([_NULL]), _file([_OPTIONS, _NULL]), '', ' ', '\n', '{}', '[]',
    'null', '1', '"x"', '{', '{"subsystems"', '{"subsystems":}', '}',
    '{"subsystems":null}', '{"subsystems":{}}', '{"subsystems":[]}',
    '{"subsystems":[null]}', '{"subsystems":[{}]}', '{"subsystems":[[]]}',
    '{"subsystems":[{"subsystem":"bdev"}]}',
    '{"subsystems":[{"config":[]}]}',
    '{"subsystems":[{"subsystem":7,"config":[]}]}',
    '{"subsystems":[{"subsystem":"bdev","config":{}}]}',
    '{"subsystems":[{"subsystem":"bdev","config":null}]}',
    '{"subsystems":[{"subsystem":"bdev","config":[]}]} trailing',
    '{"subsystems":[]}{', '// c\n{"subsystems":[]}', '/* c */ {}', '# c\n{}',
    '{"subsystems":[] /* c }', '{"subsystems":[] // c }',
    '{"a":1,"subsystems":[],"subsystems":[]}', '\ufeff{}', '[{"a":1}]',
    _file([]), _file([_NULL], more=1), _file([_NULL], 'nosuch'),
    _file([_NULL], 'nvmf'), _file([None]), _file([1]), _file(['x']),
    _file([{}]), _file([{'method': 'no_such_method'}]),
    _file([{'method': 'no_such_method'}], 'nosuch'),
    _file([{'method': 7}]), _file([{'params': {}}]),
    _file([{**_NULL, 'id': 1}]), _file([{**_NULL, 'params': []}]),
    _file([{**_NULL, 'params': None}]), _file([{**_NULL, 'params': {}}]),
    _file([{'method': 'bdev_null_create'}]), _file([_NULL, _NULL]),
    _file([_NULL, {'method': 'bdev_get_bdevs'}]),
    _file([{'method': 'log_get_level'}]),
    _file([{'method': 'log_set_level', 'params': {'level': 'x'}}]),
    _file([{'method': 'spdk_kill_instance',
            'params': {'sig_name': 'SIGTERM'}}]),
    _file([{'method': 'bdev_set_options', 'params': {
        'bdev_io_pool_size': 1, 'bdev_io_cache_size': 16}}]),
    _file([[_NULL]]), _file([[]]), _file([[_NULL, _OPTIONS]]),
    _file([[_NULL, {'method': 'no_such_method'}]]), _file([[None, _NULL]]),
    _file([[_NULL, _NULL]]), _file([[{'method': 'log_get_level'}, _NULL]]),
    _file([[{'method': 'no_such_method'}]]), _file([[_OPTIONS], [_NULL]]),
    json.dumps({'subsystems': [
        {'subsystem': 'bdev', 'config': [
            {'method': 'bdev_passthru_create', 'params': {
                'name': 'P', 'base_bdev_name': 'N'}}]},
        {'subsystem': 'nosuch', 'config': [_NULL]},
        {'subsystem': 'bdev', 'config': [_NULL]}]}))


class CommandLines:
    """Makes them.

    :param random: a :class:`random.Random`.
    :param app: the program.
    """

    def __init__(self, random, app):
        self.random = random
        self.app = app

    def arguments(self):
        """Arguments of a program (list of str)."""
        found = ['-r', 'rpc.sock', '--iova-mode=va', '-s', '260']
        if self.app in ('vhost', 'spdk_tgt') and self.random.random() < 0.3:
            found += ['-S', '.']
        for _ in range(self.random.choice((1, 1, 1, 2, 3))):
            found += self._option()
        return found

    def _option(self):
        name = self.random.choice(list(_VALUES))
        values = _VALUES[name]
        if name == '-b' and self.app == 'iscsi_tgt':
            # A daemon would stay behind.
            return []
        if name == '--no-huge':
            # Memory is not simulated: enough for every program.
            return [name, '-s', '1200']
        if values is None:
            return [name]
        if self.random.random() < 0.04:
            return [name]                       # Its argument is missing.
        value = values[0] if self.random.random() < 0.3 \
            else self.random.choice(values)
        if name.startswith('--') and self.random.random() < 0.5:
            return [f'{name}={value}']
        if not name.startswith('--') and self.random.random() < 0.2:
            return [name + value]
        return [name, value]


def configured(text):
    """A function that writes configuration files (see ``Life``)."""
    def prepare(place):
        for name, content in (('good.json', CONFIGURATIONS[0]),
                              ('empty.json', ''), ('this.json', text)):
            with open(os.path.join(place, name), 'w') as file:
                file.write(content)
    return prepare


# What is where the socket is to be.

def _stale(place):
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(os.path.join(place, 'rpc.sock'))


def _served(place):
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(os.path.join(place, 'rpc.sock'))
    sock.listen()
    return sock


def _plain(place):
    with open(os.path.join(place, 'rpc.sock'), 'w') as file:
        file.write('precious')


def _directory(place):
    os.mkdir(os.path.join(place, 'rpc.sock'))


def _dangling(place):
    os.symlink('nowhere', os.path.join(place, 'rpc.sock'))


def _locked(place):
    file = open(  # noqa: SIM115
        os.path.join(place, 'rpc.sock.lock'), 'w')
    fcntl.flock(file, fcntl.LOCK_EX)
    return file


def _old_lock(place):
    with open(os.path.join(place, 'rpc.sock.lock'), 'w') as file:
        file.write('old')
    os.chmod(os.path.join(place, 'rpc.sock.lock'), 0o444)


def _lock_directory(place):
    os.mkdir(os.path.join(place, 'rpc.sock.lock'))


def _claimed_core(place):
    path = os.path.join(os.path.dirname(place), 'tmp', 'spdk_cpu_lock_000')
    file = open(path, 'wb')  # noqa: SIM115
    file.write((4321).to_bytes(4, 'little'))
    file.flush()
    fcntl.lockf(file, fcntl.LOCK_EX)
    return file


#: Name -> function that prepares a directory (see ``Life``).
PLACES = {function.__name__: function for function in (
    _stale, _served, _plain, _directory, _dangling, _locked, _old_lock,
    _lock_directory, _claimed_core)}

#: Signals, in the order in which they are sent; the last one ends it.
SIGNALS = tuple(
    (number, *again)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP,
                   signal.SIGUSR1, signal.SIGUSR2, signal.SIGQUIT,
                   signal.SIGPIPE, signal.SIGALRM, signal.SIGKILL)
    for again in ((), (signal.SIGTERM,))
    if again or number != signal.SIGPIPE)
