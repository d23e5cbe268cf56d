# SPDX-License-Identifier: Apache-2.0

"""Start a program so that it outlives the process that starts it.

Under systemd as a transient unit of its own (:class:`Unit`): a child of a
service would be killed with the service. Elsewhere by a double fork
(:class:`Detached`). Both know the exit status of a program that ends before
:meth:`release` is called.
"""

import os
import select
import shutil
import subprocess
import sys
import time
from typing import Protocol
import weakref

from cyborg_spdk import exceptions
from cyborg_spdk.host.machine import spawn_helper

_HELPER = spawn_helper.__file__

# Seconds for fork and exec, or for systemd, on the slowest machine.
_START_TIMEOUT = 30

# Variables that belong to the service that starts a target.
_NOT_INHERITED = ('NOTIFY_SOCKET', 'LISTEN_FDS', 'LISTEN_PID',
                  'LISTEN_FDNAMES', 'WATCHDOG_PID', 'WATCHDOG_USEC',
                  'INVOCATION_ID', 'JOURNAL_STREAM', 'MAINPID')

# Where the tools of systemd are, whatever PATH says.
_TOOLS = '/usr/bin:/bin'

#: What the name of a target's unit begins with.
UNIT_PREFIX = 'cyborg-spdk-'

#: There if and only if systemd runs this machine; see sd_booted(3).
SYSTEMD_RUNS = '/run/systemd/system'


class Program(Protocol):
    """A program that was started.

    :ivar pid: its process id.
    """

    pid: int

    def poll(self, timeout: float = 0) -> int | None:
        """Exit status if it has ended, else None.

        :param timeout: seconds to wait for its end.
        :returns: as ``subprocess``: negative is the signal that killed it.
        """

    def release(self) -> None:
        """Let go of it: nobody will ask for its exit status."""


def systemd_runs() -> bool:
    """Whether this machine is run by systemd."""
    return os.path.isdir(SYSTEMD_RUNS)


def start(argv: list[str], log: str, cwd: str, gid: int,
          unit: str | None = None, uid: int | None = None) -> Program:
    """Start a program that outlives us.

    The log belongs to whom the program runs as. It is opened by that user,
    so that no link in its place leads anybody else anywhere.

    :param argv: the program's absolute path and its arguments.
    :param log: file for its output; the one before is kept as LOG.1.
    :param cwd: its working directory (for core files).
    :param gid: group to run with, or -1 for ours.
    :param unit: name of its transient unit, used where systemd runs and we
        are root.
    :param uid: user to run it as; None is ours. Only root can name another.
    :returns: :class:`Unit` or :class:`Detached`.
    :raises StartError: if it cannot be executed at all.
    """
    us = os.geteuid()
    uid = us if uid is None else uid
    if unit and us == 0 and systemd_runs():
        if uid == 0:
            os.close(spawn_helper.open_log(log))
        return Unit(argv, log, cwd, gid, unit, uid)
    return Detached(argv, log, cwd, gid, -1 if uid == us else uid)


# Those whose pipes a fork would copy.
_watched: 'weakref.WeakSet[Detached]' = weakref.WeakSet()


def _after_fork() -> None:
    # The parent's pipe has to end when the parent lets go, or dies.
    for program in list(_watched):
        program.release()


os.register_at_fork(after_in_child=_after_fork)


class Detached:
    """A program started by a double fork.

    :ivar pid: its process id.
    """

    def __init__(self, argv: list[str], log: str, cwd: str, gid: int,
                 uid: int = -1) -> None:
        environ = {name: value for name, value in os.environ.items()
                   if name not in _NOT_INHERITED}
        self.pid = 0
        self._status: int | None = None
        self._buffer = b''
        self._helper = subprocess.Popen(
            [sys.executable, '-I', '-S', _HELPER, log, cwd, str(uid), str(gid),
             *argv],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, env=environ, close_fds=True,
            cwd='/', start_new_session=True, bufsize=0)
        assert self._helper.stdin and self._helper.stdout
        self._stdin, self._stdout = self._helper.stdin, self._helper.stdout
        _watched.add(self)
        try:
            # It forks and ends at once.
            self._helper.wait(_START_TIMEOUT)
            word, value = self._read(_START_TIMEOUT)
        except subprocess.TimeoutExpired:
            word, value = None, 'the machine is too busy to start it'
        if word != 'pid':
            self.release()
            raise exceptions.StartError(
                os.path.basename(argv[0]),
                value or 'it could not be executed')
        self.pid = int(value)

    def _read(self, timeout: float) -> tuple[str | None, str]:
        """One line of the helper, as (word, rest); (None, '') at its end."""
        deadline = time.monotonic() + timeout
        stream = self._stdout
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

    def poll(self, timeout: float = 0) -> int | None:
        """See :meth:`Program.poll`."""
        if self._status is None and not self._stdout.closed:
            word, value = self._read(timeout)
            if word == 'exit':
                self._status = int(value)
        return self._status

    def release(self) -> None:
        """Let go of it: from now on it is a child of init."""
        self._stdin.close()
        self._stdout.close()


def unit_command(argv: list[str], log: str, cwd: str, gid: int, unit: str,
                 uid: int = 0) -> list[str]:
    """The command that starts a program as a transient unit of systemd.

    ``Type=exec`` and ``append:`` need systemd 240. systemd opens the log as
    root, so that is left to the unit's own user where it has one.
    """
    output = 'null' if uid else f'append:{log}'
    if uid:
        argv = [sys.executable, '-I', '-S', _HELPER, '--log', log, *argv]
    properties = [
        'Type=exec',
        f'StandardOutput={output}', f'StandardError={output}',
        f'WorkingDirectory={cwd}',
        'UMask=0117',
        # Storage is not to be killed because it takes its time to stop.
        'KillSignal=SIGTERM', 'SendSIGKILL=no',
        'IgnoreSIGPIPE=no',
        'LimitMEMLOCK=infinity', 'LimitNOFILE=1048576',
    ]
    if gid != -1:
        properties.append(f'Group={gid}')
    if uid:
        properties.append(f'User={uid}')
    command = [_tool('systemd-run'), '--no-ask-password',
               f'--unit={unit}', '--description=SPDK target '
               + unit.removeprefix(UNIT_PREFIX)]
    command += [f'--property={name}' for name in properties]
    # systemd would put variables in.
    return command + ['--', *(part.replace('$', '$$') for part in argv)]


class Unit:
    """A program started as a transient unit of systemd.

    :ivar pid: its process id.
    """

    def __init__(self, argv: list[str], log: str, cwd: str, gid: int,
                 unit: str, uid: int = 0) -> None:
        self._unit = f'{unit}.service'
        # What failed before would keep the name.
        _systemctl('reset-failed', self._unit)
        try:
            done = subprocess.run(
                unit_command(argv, log, cwd, gid, unit, uid),
                stdin=subprocess.DEVNULL, capture_output=True, text=True,
                timeout=_START_TIMEOUT, check=False)
        except (OSError, subprocess.TimeoutExpired) as exc:
            raise exceptions.StartError(
                unit, f'systemd-run: {exc}') from None
        if done.returncode != 0:
            raise exceptions.StartError(unit, self._why_not(done.stderr))
        # 0 if it has ended already.
        self.pid = int(self._show().get('MainPID', 0))

    def _why_not(self, said: str) -> str:
        if self._show().get('ActiveState') in ('active', 'deactivating'):
            return (f'a unit {self._unit} runs already, and does not serve '
                    f'this target; systemctl stop {self._unit}')
        return 'systemd-run: ' + ' '.join(said.split())

    def _show(self) -> dict[str, str]:
        output = _systemctl(
            'show', '--property=MainPID,ActiveState,ExecMainCode,'
            'ExecMainStatus', self._unit)
        return dict(line.split('=', 1) for line in output.splitlines()
                    if '=' in line)

    def poll(self, timeout: float = 0) -> int | None:
        """See :meth:`Program.poll`."""
        deadline = time.monotonic() + timeout
        while True:
            found = self._show()
            if found.get('ActiveState') in ('failed', 'inactive'):
                status = int(found.get('ExecMainStatus') or 0)
                # CLD_EXITED is 1, CLD_KILLED 2, CLD_DUMPED 3.
                killed = found.get('ExecMainCode') in ('2', '3')
                return -status if killed else status
            if time.monotonic() >= deadline:
                return None
            time.sleep(min(0.02, timeout))

    def release(self) -> None:
        """Nothing to do: it belongs to systemd from the first."""


def _tool(name: str) -> str:
    return shutil.which(name, path=_TOOLS) or f'/usr/bin/{name}'


def _systemctl(*arguments: str) -> str:
    try:
        return subprocess.run(
            [_tool('systemctl'), '--no-ask-password', *arguments],
            stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=_START_TIMEOUT, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ''
