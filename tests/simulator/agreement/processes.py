# SPDX-License-Identifier: Apache-2.0

"""One program's life, real or simulated: what it says, leaves and returns.

Each runs in namespaces of its own: in a private directory that it knows as
:data:`tests.simulator.agreement.pair.PLACE`, with a ``/var/tmp``, a
``/dev/shm`` and a ``/dev/hugepages`` that nobody else uses.
"""

import contextlib
import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time

from tests.functional.fixtures import target as targets
from tests.simulator.agreement import pair as pairs
from tests.simulator.recordings import replay

_PRIVATE = (
    'ip link set lo up && mount --bind "$0/place" ' + pairs.PLACE
    + ' && mount --bind "$0/tmp" /var/tmp && mount -t tmpfs none /dev/shm'
    + ' && mount -t hugetlbfs none /dev/hugepages'
    + ' && mkdir -p /run/dpdk && mount -t tmpfs none /run/dpdk && ulimit -c 0'
    + ' && cd ' + pairs.PLACE + ' && exec "$@"')
_CALL = {'jsonrpc': '2.0', 'id': 1, 'method': 'rpc_get_methods'}

_LOGGED = re.compile(
    r'(?:\[[^]]*\] )?\s*([\w./-]+\.[ch]): *\d+:\s*\w+: \*(\w+)\*: (.*)')
# Whose lines are compared: what methods log of their own is not simulated.
_FILES = frozenset((
    'app.c', 'cpuset.c', 'init.c', 'iscsi_tgt.c', 'json_config.c',
    'jsonrpc_server_tcp.c', 'reactor.c', 'rpc.c'))
_PRINTED = re.compile(r'\[\d{4}-\d\d-\d\d [\d:.]+\] (.*)')
# What DPDK says, and what depends on the machine alone.
_FOREIGN = re.compile(
    r'EAL: |TELEMETRY|APP: |VHOST_CONFIG|\[ DPDK EAL parameters|'
    r'Starting SPDK|POWER|CRYPTODEV|rte_|\s*$')
# The simulator's.
_OWN = {'--spdk-version', '--fault', '--poll-ms', '--hugepages'}
_OPTIONS = re.compile(r'(?<![\w-])--?[A-Za-z][\w-]*')


class Life:
    """A program that is started in an empty directory.

    :param command: the program and its arguments.
    :param prepare: function of the directory, called before the start.
    :param early: whether it goes on if it cannot serve RPC (up to v24.01).
    :ivar place: the directory.
    """

    def __init__(self, command, prepare=None, early=False):
        self.root = tempfile.mkdtemp(prefix='life-')
        self.place = os.path.join(self.root, 'place')
        self.tmp = os.path.join(self.root, 'tmp')
        for directory in (self.place, self.tmp):
            os.mkdir(directory)
            os.chmod(directory, 0o1777)
        os.chmod(self.root, 0o755)
        self.name = os.path.basename(command[0])
        self.early = early
        self.held = prepare(self.place) if prepare else None
        self.output = [tempfile.TemporaryFile()  # noqa: SIM115
                       for _ in range(2)]
        self.process = subprocess.Popen(
            ['unshare', '--net', '--mount', 'sh', '-c', _PRIVATE, self.root,
             *command], stdin=subprocess.DEVNULL, stdout=self.output[0],
            stderr=self.output[1], start_new_session=True,
            env={**os.environ, 'PYTHONPATH': pairs.ROOT})

    def up(self):
        """Wait until it answers, or ends.

        :returns: ``'answers'``, ``'runs'`` (without a socket) or
            ``'ended'``.
        """
        deadline = time.monotonic() + targets.PATIENCE
        while time.monotonic() < deadline:
            if any(map(self._answers, self._sockets())):
                return 'answers'
            if self._unreachable() \
                    and self._comm().startswith('reactor_'):
                return 'runs'
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(0.03)
                return 'ended'
        return 'silent'

    def _unreachable(self):
        """Whether nothing serves RPC, and that is no reason to end."""
        # Not read(): the place in the file is the program's, too.
        return '--no-rpc-server' in self.process.args or (
            self.early and b'Unable to start RPC' in os.pread(
                self.output[1].fileno(), 1 << 20, 0))

    def _sockets(self):
        return [entry.path for entry in os.scandir(self.place)
                if stat.S_ISSOCK(entry.stat(follow_symlinks=False).st_mode)]

    @staticmethod
    def _answers(path):
        with contextlib.suppress(OSError):
            connection = replay.Connection(path, 10)
            with contextlib.closing(connection):
                return connection.call(_CALL) is not None
        return False

    def _comm(self):
        with contextlib.suppress(OSError), open(
                f'/proc/{self.process.pid}/comm', encoding='ascii') as file:
            return file.read()
        return ''

    def files(self):
        """Names of the files it has made and not removed, with a mark of
        their kind and mode.
        """
        found = []
        for directory in (self.place, self.tmp):
            for name in sorted(os.listdir(directory)):
                mode = os.lstat(os.path.join(directory, name)).st_mode
                found.append((re.sub(r'\d{4,}', '#', name), oct(mode)))
        return found

    def end(self, *numbers):
        """Send signals and wait for the end.

        :returns: the status as of :class:`subprocess.Popen`.
        """
        for number in numbers:
            self.process.send_signal(number)
        try:
            return self.process.wait(targets.PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return 'never'

    def said(self):
        """What it said, less what tells the two kinds apart.

        :returns: (lines of the log and other lines, of stdout: whether there
            is a usage and which options it names).
        """
        texts = []
        for output in self.output:
            output.seek(0)
            texts.append(output.read().decode('utf-8', 'replace'))
        stdout, stderr = texts
        lines = [item for item in map(self._line, stderr.splitlines())
                 if item]
        return lines, self._printed(stdout)

    def _line(self, line):
        logged = _LOGGED.match(line)
        if logged:
            file, level, text = logged.groups()
            if file not in _FILES:
                return None
            if level not in ('ERROR', 'WARNING') and not text.startswith(
                    ('Total cores', 'Reactor started', 'CPU core locks')):
                return None
            return level, self._neutral(text)
        printed = _PRINTED.match(line)
        text = printed.group(1) if printed else line
        return None if _FOREIGN.match(text) else self._neutral(text)

    def _neutral(self, text):
        text = re.sub(r'^\S*/' + self.name, self.name, text)
        text = re.sub(r'(process|pid|fd|id)[ =]?\d+', r'\1 #', text)
        return text.strip()

    def _printed(self, text):
        head, _, rest = text.partition('\n')
        if head.endswith('[options]'):
            # DPDK may add one of its own.
            usage = rest.partition('Usage: ')[0]
            return ('usage', sorted(set(_OPTIONS.findall(usage)) - _OWN))
        return re.sub(r'(SPDK v[\d.]+).*', r'\1', head)

    def close(self):
        """End it and remove its files."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for output in self.output:
            output.close()
        if self.held is not None:
            self.held.close()
        shutil.rmtree(self.root, ignore_errors=True)


class Lives:
    """Starts both programs alike.

    :param app: the program.
    """

    def __init__(self, app):
        self.app = app
        self.program = os.path.join(targets.SPDK_DIR, 'build', 'bin', app)
        done = subprocess.run([self.program, '--version'],
                              capture_output=True, text=True, check=True)
        self.release = done.stdout.split()[1]

    def run(self, arguments, prepare=None, act=None):
        """Run both and see what became of them.

        :param arguments: arguments of the program.
        :param prepare: see :class:`Life`.
        :param act: function of a :class:`Life` that is up; None sends
            SIGTERM. What it returns is compared, too.
        :returns: two lists of what was seen, first the real one's.
        """
        simulator = [sys.executable, '-W', 'ignore', '-m',
                     'spdk_simulator', self.app]
        own = ['--spdk-version', self.release, '--hugepages', 'honour']
        lives = []
        try:
            for command in ([self.program, *arguments],
                            [*simulator, *own, *arguments]):
                lives.append(Life(command, prepare,
                                  self.release < 'v24.05'))
                lives[-1].name = self.app
            return [self._seen(life, act) for life in lives]
        finally:
            for life in lives:
                life.close()

    @staticmethod
    def _seen(life, act):
        state = life.up()
        seen = {'state': state}
        if state != 'ended':
            seen['files'] = life.files()
            act = act or (lambda life: life.end(signal.SIGTERM))
            seen['act'] = act(life)
        seen['status'] = life.end()
        seen['left'] = life.files()
        seen['lines'], seen['printed'] = life.said()
        return seen


def differences(real, simulated):
    """Say where two lives differ (list of str)."""
    return [f'{name}: real {json.dumps(real.get(name))}, simulated '
            f'{json.dumps(simulated.get(name))}'
            for name in {**real, **simulated}
            if real.get(name) != simulated.get(name)]
