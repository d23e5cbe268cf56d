# SPDX-License-Identifier: Apache-2.0
"""The privileged helper: started, called, and given up within a time.

oslo.privsep itself waits for its helper without end: for sudo, for the
helper's first word, and for each reply. The agent's report would wait with
it. Its channel also survives a fork, and then the thread of the parent takes
the replies to the child's calls. And the path of its socket is an argument
that changes, so that sudoers could not name the arguments. So the process
and the socket, which is the helper's standard input, are looked after here;
the protocol is oslo.privsep's.
"""

from collections.abc import Callable
import contextlib
import os
import shlex
import socket
import subprocess
import threading
import time
import typing
import warnings

with warnings.catch_warnings():
    # oslo.privsep imports eventlet if it is there, which warns of itself.
    warnings.simplefilter('ignore')
    from oslo_privsep import comm
    from oslo_privsep import daemon
    from oslo_privsep import priv_context

from cyborg_spdk import exceptions
from cyborg_spdk import loggers

LOG = loggers.get(__name__)

#: Seconds for sudo and the helper's start, on the slowest machine.
START_TIMEOUT = 30.0

#: Seconds in which a helper that is well answers a ping.
PING_TIMEOUT = 5.0


#: What starts it if [spdk] privsep_helper_command is not set.
COMMAND = 'sudo -n /usr/bin/cyborg-spdk-privileged'

_REMEDY = ('; allow it in sudoers (see etc/cyborg_spdk/sudoers) and set '
           '[spdk] privsep_helper_command, or run as root')


class Ended(Exception):
    """There is no helper that answers; nothing was asked of it."""


class _Channel(daemon._ClientChannel):
    """A connection to a helper that never waits without end."""

    def __init__(self, sock: socket.socket,
                 context: priv_context.PrivContext) -> None:
        self.sock = sock
        # Whose reader may not have begun.
        self._new = True
        super().__init__(sock, context)

    def exchange_ping(self) -> None:
        """Ask it for a sign of life.

        :raises Ended: if there is none.
        """
        if not self.running and not self._new:
            raise Ended('it has ended')
        self._new = False
        try:
            reply = self.send_recv((comm.Message.PING.value,), PING_TIMEOUT)
        except OSError as exc:
            raise Ended(str(exc)) from None
        if reply[0] != comm.Message.PONG:
            raise Ended(f'no answer within {PING_TIMEOUT:g} s')

    def _reader_main(self, reader: comm.Deserializer) -> None:
        # A helper that is killed with a call unread resets the connection,
        # which would end this thread and leave those who wait.
        try:
            super()._reader_main(reader)
        except OSError as exc:
            with self.lock:
                for waiting in self.outstanding_msgs.values():
                    waiting.set_exception(exc)
                self.running = False

    def close(self) -> None:
        """Have it end, and whoever waits for it; does not wait."""
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)


class _Words:
    """What comes on the helper's standard error, also sudo's refusal."""

    def __init__(self) -> None:
        self.last = ''
        reader, self.writer = os.pipe()
        self._thread = threading.Thread(
            target=self._read, args=(reader,), name='privileged helper',
            daemon=True)
        self._thread.start()

    def _read(self, reader: int) -> None:
        talking = False
        with open(reader, errors='replace') as stream:
            for line in stream:
                # eventlet speaks of itself where it is installed.
                talking = talking or 'EventletDeprecation' in line
                if not talking and line.strip():
                    self.last = line.strip()
                    LOG.warning('privileged helper: %s', self.last)
                talking = talking and not line.rstrip().endswith(
                    'import eventlet')

    def close(self) -> None:
        """The helper has the other end now, or nobody."""
        os.close(self.writer)

    def at_end(self) -> str:
        """The last line of a process that has ended."""
        self._thread.join(1.0)
        return self.last


class _Helper:
    """The one helper of this process."""

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._channel: _Channel | None = None
        self._late: subprocess.Popen[bytes] | None = None

    def after_fork(self) -> None:
        """In a child process: the helper is the parent's."""
        channel = self._channel
        self._begin()
        if channel is not None:
            # The descriptor of this process alone: the helper notices the
            # parent's end.
            channel.sock.close()

    def channel(self, context: priv_context.PrivContext,
                command: str | None) -> _Channel:
        """A channel whose helper has just answered; starts one.

        :param command: the command line that starts it.
        :raises Ended: if there is no way to one.
        """
        with self._lock:
            if self._channel is not None:
                try:
                    self._channel.exchange_ping()
                except Ended as exc:
                    LOG.warning('the privileged helper is gone (%s); '
                                'another one is started', exc)
                    self._drop()
            if self._channel is None:
                self._channel = self._start(context, command)
            return self._channel

    def drop(self, channel: _Channel) -> None:
        """Let go of a helper that does not answer."""
        with self._lock:
            if self._channel is channel:
                self._drop()

    def _drop(self) -> None:
        if self._channel is not None:
            self._channel.close()
        self._channel = None

    def _start(self, context: priv_context.PrivContext,
               command: str | None) -> _Channel:
        if self._late is not None and self._late.poll() is None:
            raise Ended(f'process {self._late.pid}, which is to start it, '
                        'hangs; end it')
        deadline = time.monotonic() + START_TIMEOUT
        sock, theirs = socket.socketpair()
        try:
            with theirs:
                self._run(shlex.split(command or COMMAND), theirs, deadline)
            return _Channel(sock, context)
        except BaseException:
            sock.close()
            raise

    def _run(self, command: list[str], theirs: socket.socket,
             deadline: float) -> None:
        """Run what makes the helper a daemon; it ends when that is done."""
        LOG.info('starting the privileged helper: %s', ' '.join(command))
        words = _Words()
        try:
            process = subprocess.Popen(
                command, stdin=theirs.fileno(), stdout=subprocess.DEVNULL,
                stderr=words.writer)
        except OSError as exc:
            raise Ended(
                f'{command[0]}: {exc.strerror}{_REMEDY}') from None
        finally:
            words.close()
        try:
            process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            self._late = process
            with contextlib.suppress(PermissionError):
                # sudo belongs to root.
                process.kill()
            raise Ended(f'{command[0]} has not started it within '
                        f'{START_TIMEOUT:g} s'
                        + (f': {words.last}' if words.last else '')) from None
        if process.returncode != 0:
            said = words.at_end() or \
                f'{command[0]} ended with {process.returncode}'
            raise Ended(said + _REMEDY)


_HELPER = _Helper()


def _after_fork() -> None:
    _HELPER.after_fork()


os.register_at_fork(after_in_child=_after_fork)


def call(context: priv_context.PrivContext, command: str | None,
         entry: Callable[..., typing.Any], limit: float, function: str,
         args: tuple[typing.Any, ...]) -> typing.Any:
    """Have the helper call a function; the helper is started if need be.

    :param context: the ``PrivContext`` of the helper.
    :param command: the command line that starts it; None is
        :data:`COMMAND`.
    :param entry: the context's entry point, which knows the functions.
    :param limit: seconds for the reply.
    :param function: name of the function.
    :param args: plain values.
    :returns: what it returns; it raises what it raises.
    :raises PrivilegeError: if there is no helper, or it ended or did not
        answer meanwhile. In the last two cases the function may have been
        called.
    """
    name = f'{entry.__module__}.{entry.__name__}'
    doing = function.replace('_', ' ')
    try:
        channel = _HELPER.channel(context, command)
    except Ended as exc:
        raise exceptions.PrivilegeError(
            f'user {os.geteuid()} has no way to root for {doing}: {exc}'
        ) from None
    try:
        return channel.remote_call(name, (function, args), {}, limit)
    except comm.PrivsepTimeout:
        _HELPER.drop(channel)
        raise exceptions.PrivilegeError(
            f'the privileged helper has not done {doing} within '
            f'{limit:g} s; it is let go, and another one is started for '
            'the next call') from None
    except OSError as exc:
        if channel.running:
            # The function's own.
            raise exceptions.PrivilegeError(
                f'{doing}, as root: {exc}') from None
        raise exceptions.PrivilegeError(
            f'the privileged helper ended during {doing} ({exc}); another '
            'one is started for the next call') from None
