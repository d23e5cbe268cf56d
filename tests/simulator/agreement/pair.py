# SPDX-License-Identifier: Apache-2.0

"""A real target and a simulated one of the same release, side by side.

Each has a network and a mount namespace of its own: both see their private
directory as :data:`PLACE`, and both may listen on the same ports, so that
equal calls have equal replies. Cores are locked in a directory of its own,
too.
"""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from spdk_simulator import release as releases
from tests.functional.fixtures import target as targets
from tests.simulator.agreement import names
from tests.simulator.recordings import replay

PLACE = '/srv'

_ENTER = ('ip link set lo up && mount -t tmpfs none /var/tmp'
          ' && mount --bind "$0" ' + PLACE
          + ' && cd ' + PLACE + ' && exec "$@"')
# A target up to v18.10 takes all huge pages that it finds, to give most of
# them back: let it find no more than it is to have.
_HUGE_PAGES = ('mount -t hugetlbfs -o pagesize=2M,size=3000M none '
               '/dev/hugepages && ')
#: The project.
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.dirname(os.path.abspath(__file__)))))

#: Files that both find in their directory: name -> (bytes, mode).
FILES = {'aio0': (64 << 20, 0o600), 'aio1': (16 << 20, 0o600),
         'odd': (1000007, 0o600), 'tiny': (100, 0o600),
         'key0': (32, 0o600), 'key1': (32, 0o600), 'open': (32, 0o644)}

#: What a side answers when it does not answer.
SILENCE = {'silence': True}


class Side:
    """One target of the two.

    :param command: the program and its own arguments.
    :param files: further files for its directory: name -> bytes.
    """

    def __init__(self, command, patience=3.0, files=None):
        self.directory = tempfile.mkdtemp(prefix='agree-')
        for name, data in (files or {}).items():
            with open(os.path.join(self.directory, name), 'wb') as file:
                file.write(data)
        for name, (size, mode) in FILES.items():
            path = os.path.join(self.directory, name)
            with open(path, 'wb') as file:
                file.truncate(size)
            os.chmod(path, mode)
        self.socket = os.path.join(self.directory, 'rpc.sock')
        self.patience = patience
        self.log = os.path.join(self.directory, 'log')
        with open(self.log, 'ab') as log:
            self.process = subprocess.Popen(
                ['unshare', '--net', '--mount', 'sh', '-c',
                 (_HUGE_PAGES if targets.SPDK_RELEASE else '') + _ENTER,
                 self.directory, *command],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={**os.environ, 'PYTHONPATH': ROOT},
                start_new_session=True)
        self.connection = None

    def ready(self):
        """Wait until it answers.

        :raises RuntimeError: it ended first, or took a minute.
        """
        deadline = time.monotonic() + targets.PATIENCE
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                self.connection = self.connect()
                # It may listen, and end before it answers.
                if self.call('{"id":0,"method":"rpc_get_methods",'
                             '"jsonrpc":"2.0"}') not in (None, SILENCE):
                    return
            with contextlib.suppress(subprocess.TimeoutExpired):
                # It says nothing when it listens, only when it ends.
                self.process.wait(0.05)
                break
        raise RuntimeError(f'no answer: {self.said()}')

    def connect(self):
        """Open one more connection."""
        return replay.Connection(self.socket, self.patience)

    def call(self, text):
        """Make one call.

        :param text: the request as JSON text.
        :returns: the reply without what only repeats the request; None
            if the connection is closed, :data:`SILENCE` if nothing comes,
            ``malformed`` and its text if it is no JSON.
        """
        self.connection.send(text.encode())
        try:
            line = self.connection.line()
        except TimeoutError:
            return SILENCE
        if line is None:
            return None
        try:
            reply = json.loads(line)
        except ValueError:
            return {'malformed': line.decode(errors='replace')}
        reply.pop('jsonrpc', None)
        reply.pop('id', None)
        return reply

    def said(self):
        """The end of what it logged."""
        with open(self.log, errors='replace') as log:
            return log.read()[-3000:]

    def told(self):
        """What it logged about its configuration file.

        :returns: list of (level, text); the text of an error that a call
            had is there, too.
        """
        with open(self.log, errors='replace') as log:
            return [found.groups() for found in _TOLD.finditer(log.read())]

    def status(self, seconds=10):
        """How it ended: an exit status, a negative signal, or None."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(seconds)
        return self.process.poll()

    def close(self):
        """End it and remove its directory."""
        if self.connection:
            self.connection.close()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)


def _real_command(app, arguments):
    """The command line of the real program."""
    target = targets.Target(app, None, *arguments)
    target.socket, target.directory = PLACE + '/rpc.sock', PLACE
    return target.command()


class Pair:
    """The two targets.

    :param app: the program.
    :param arguments: further arguments for both.
    :param files: further files for both directories: name -> bytes.
    :param release: the release where the real one may not start.
    :ivar release: the release, as ``v26.05``.
    """

    def __init__(self, app, arguments=(), files=None, release=None):
        self.real = self.simulated = None
        self.release = release
        self.app = app
        try:
            self.real = Side(_real_command(app, arguments), files=files)
            if release is None:
                self.real.ready()
                self.release = targets.SPDK_RELEASE or _release(self.real)
            self.listing = names.listing(releases.Release(self.release))
            vhost = ['-S', PLACE] if app in ('vhost', 'spdk_tgt') else []
            self.simulated = Side([
                sys.executable, '-m', 'spdk_simulator', app,
                '--spdk-version', self.release, '--poll-ms', '0',
                '-r', PLACE + '/rpc.sock', *vhost, *arguments],
                files=files)
            if release is None:
                self.simulated.ready()
        except BaseException:
            self.close()
            raise
        self.comparison = Comparison()
        self.comparison.loose = releases.Release(self.release) >= 2605
        if release is None:
            self.methods = self.simulated.call(
                f'{{"id":0,"method":"{self.listing}","jsonrpc":"2.0"}}')[
                    'result']

    def outcome(self):
        """Wait until each of both answers or has ended.

        :returns: for the real and the simulated one each: None if it
            answers, else (exit status, what it logged).
        """
        outcomes = []
        for side in (self.real, self.simulated):
            try:
                side.ready()
                outcomes.append(None)
            except RuntimeError:
                outcomes.append((side.status(), side.told()))
        return tuple(outcomes)

    def call(self, text):
        """Make the same call to both.

        :param text: the request, with the real one's UUIDs.
        :returns: (the real reply, the simulated one, the differences).
        """
        real = self.real.call(text)
        simulated = self.simulated.call(self.comparison.translated(text))
        return real, simulated, self.comparison.differences(
            real, simulated)

    def close(self):
        """End both."""
        for side in (self.real, self.simulated):
            if side is not None:
                side.close()


class Comparison(replay.Comparison):
    """Compares a real reply with a simulated one.

    :ivar loose: whether new bdevs may be told of in another order: of one
        that is still looked at later than of the next one (v26.05).
    """

    loose = False

    def differences(self, then, now, path="", key=None):
        """As of recordings, without what only the moment determines."""
        if key in _MOMENT:
            return []
        if self.loose and path == '.result':
            then, now = self._arranged(then, True), self._arranged(now)
        if self.loose and key == 'bdevs' and all(
                isinstance(item, dict) and 'bytes_read' in item
                for item in [*then, *now]):
            # Those that threads use are told as these answer.
            then = sorted(then, key=lambda item: self.now.get(
                item['name'], item['name']))
            now = sorted(now, key=lambda item: item['name'])
        if isinstance(then, list) and isinstance(now, list) \
                and len(then) != len(now):
            only = [[json.dumps(item)[:200] for item in ours
                     if item not in others]
                    for ours, others in ((then, now), (now, then))]
            return [f'{path}: {len(then)} elements recorded, {len(now)} '
                    f'now; only there {only[0][:3]}, only here '
                    f'{only[1][:3]}']
        return super().differences(then, now, path, key)

    def _arranged(self, events, real=False):
        """Put notifications of new bdevs that follow each other in the
        order of their names.
        """
        if not isinstance(events, list) or not events or not isinstance(
                events[0], dict) or list(events[0]) != ['type', 'ctx', 'id']:
            return events
        arranged, run = [], []
        for event in [*events, None]:
            if event and event['type'] == 'bdev_register':
                run.append(event['ctx'])
                continue
            run.sort(key=lambda name: self.now.get(name, name)
                     if real else name)
            arranged += [('bdev_register', name) for name in run]
            run = []
            if event:
                arranged.append((event['type'], event['ctx']))
        return [{**event, 'type': kind, 'ctx': name} for event, (
            kind, name) in zip(events, arranged, strict=True)]

    def _same(self, old, new):
        nil = '0' * 32
        if nil in (old.replace('-', ''), new.replace('-', '')):
            return old == new
        return super()._same(old, new)

    def translated(self, text):
        """Replace the real one's UUIDs by the simulated one's."""
        return _UUID.sub(lambda found: self.now.get(
            found.group(), found.group()), text)


#: Members whose values are of the moment: counters, memory, samples.
_MOMENT = frozenset((
    'io_error', 'queue_depth', 'io_time', 'weighted_io_time',
    'active_pollers_count', 'timed_pollers_count', 'paused_pollers_count',
    'num_unmap_ops', 'bytes_unmapped', 'bytes_copied', 'num_copy_ops',
    'polls', 'idle_polls', 'socket_completions', 'nvme_completions',
    'queued_requests', 'submitted_requests'))

_TOLD = re.compile(
    r'(?:json_config\.c|app\.c): *\d+:\w+: \*(WARNING|ERROR)\*: '
    r'((?:error response: *\n\{[^}]*\})|.*)')
_UUID = re.compile(r'[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}')


def _release(side):
    version = side.call('{"id":0,"method":"spdk_get_version",'
                        '"jsonrpc":"2.0"}')['result']['fields']
    patch = f'.{version["patch"]}' if version['patch'] else ''
    return (f'v{version["major"]}.{version["minor"]:02d}{patch}'
            + version['suffix'])
