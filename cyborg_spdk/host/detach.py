# Licensed under the Apache License, Version 2.0 (the "License"); you may
# not use this file except in compliance with the License. You may obtain
# a copy of the License at
#
#      http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
# WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
# License for the specific language governing permissions and limitations
# under the License.

"""Start a program so that it outlives the process that starts it.

Under systemd as a transient unit of its own (:class:`Unit`): a child of a
service would be killed with the service. Elsewhere by a double fork
(:class:`Detached`). Both know the exit status of a program that ends before
:meth:`release` is called.
"""

import os
import select
import subprocess
import sys
import time

from cyborg_spdk import exceptions

_HELPER = os.path.join(os.path.dirname(__file__), 'detached.py')

# Seconds for fork and exec, on the slowest machine.
_START_TIMEOUT = 30

# Variables that belong to the service that starts a target.
_NOT_INHERITED = ('NOTIFY_SOCKET', 'LISTEN_FDS', 'LISTEN_PID',
                  'LISTEN_FDNAMES', 'WATCHDOG_PID', 'WATCHDOG_USEC',
                  'INVOCATION_ID', 'JOURNAL_STREAM', 'MAINPID')


class Detached:
    """A program started by a double fork.

    :ivar pid: its process id.
    """

    def __init__(self, argv, log, cwd, environ=None):
        """Start it.

        :param argv: the program's absolute path and its arguments.
        :param log: file for its output; the one before is kept as LOG.1.
        :param cwd: its working directory (for core files).
        :param environ: its environment; None means ours.
        :raises StartError: if it cannot be executed at all.
        """
        environ = dict(os.environ if environ is None else environ)
        for name in _NOT_INHERITED:
            environ.pop(name, None)
        self.pid = None
        self._status = None
        self._buffer = b''
        self._helper = subprocess.Popen(
            [sys.executable, '-I', '-S', _HELPER, log, cwd, *argv],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, env=environ, close_fds=True,
            cwd='/', start_new_session=True, bufsize=0)
        try:
            # It forks and ends at once.
            self._helper.wait(_START_TIMEOUT)
            word, value = self._read(_START_TIMEOUT)
        except subprocess.TimeoutExpired:
            word, value = None, 'it did not fork'
        if word != 'pid':
            self.release()
            raise exceptions.StartError(
                os.path.basename(argv[0]), value or 'it was not executed')
        self.pid = int(value)

    def _read(self, timeout):
        """One line of the helper, as (word, rest); (None, '') at its end."""
        deadline = time.monotonic() + timeout
        stream = self._helper.stdout
        while b'\n' not in self._buffer:
            left = max(0, deadline - time.monotonic())
            if not select.select([stream], [], [], left)[0]:
                return None, ''
            data = os.read(stream.fileno(), 4096)
            if not data:
                return None, ''
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b'\n')
        word, _, rest = line.decode(errors='replace').partition(' ')
        return word, rest

    def poll(self, timeout=0):
        """Exit status if it has ended, else None.

        :param timeout: seconds to wait for its end.
        :returns: as ``subprocess``: negative is the signal that killed it.
        """
        if self._status is None and not self._helper.stdout.closed:
            word, value = self._read(timeout)
            if word == 'exit':
                self._status = int(value)
        return self._status

    def release(self):
        """Let go of it: from now on it is a child of init."""
        self._helper.stdin.close()
        self._helper.stdout.close()
