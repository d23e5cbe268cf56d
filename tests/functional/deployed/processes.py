# SPDX-License-Identifier: Apache-2.0
"""Processes of a test: started, waited for, and ended by their id."""

import contextlib
import os
import pwd
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from typing import Any
import uuid

import cyborg_spdk
from tests.functional.fixtures import served

#: Seconds that anything may take on a loaded machine.
PATIENCE = 120.0


def wait_until(condition: Any, what: str, patience: float = PATIENCE,
               pause: float = 0.05) -> Any:
    """Wait until a condition holds.

    :param condition: callable; a true value ends the waiting.
    :param what: the condition in words, for the message.
    :param pause: seconds between two looks: longer where a look is work for
        those who are waited for.
    :returns: that value.
    """
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        threading.Event().wait(pause)
    raise AssertionError(f'{what}: not within {patience:g} s')


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listened on just now."""
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port: int = probe.getsockname()[1]
        return port


def listens(port: int) -> bool:
    """Whether somebody accepts at a port of 127.0.0.1."""
    with socket.socket() as probe:
        return probe.connect_ex(('127.0.0.1', port)) == 0


def new_uuid() -> str:
    """A random UUID."""
    return str(uuid.uuid4())


def _for_others(path: str) -> bool:
    """Whether every user can execute a program."""
    path = os.path.realpath(path)
    while True:
        if not os.stat(path).st_mode & stat.S_IXOTH:
            return False
        if path == '/':
            return True
        path = os.path.dirname(path)


def python() -> tuple[str, dict[str, str]]:
    """An interpreter that every user can run, with what is installed here.

    :returns: its path, and the environment that it needs.
    :raises RuntimeError: if there is none.
    """
    if _for_others(sys.executable):
        return sys.executable, {}
    # The tests run by one below a home directory. Another one of the same
    # release takes the same packages.
    name = f'python3.{sys.version_info[1]}'
    for path in (f'/usr/bin/{name}', f'/usr/local/bin/{name}'):
        if os.path.exists(path):
            top = os.path.dirname(os.path.dirname(cyborg_spdk.__file__))
            packages = [one for one in sys.path
                        if one.endswith('-packages')]
            return path, {'PYTHONPATH': os.pathsep.join([top, *packages])}
    raise RuntimeError(f'{sys.executable} cannot be run by other users, and '
                       f'there is no {name} in /usr: run the tests by an '
                       'interpreter outside of home directories')


def program(name: str) -> str:
    """Path of a program that is installed beside this interpreter.

    :raises RuntimeError: if it is not.
    """
    path = os.path.join(os.path.dirname(sys.executable), name)
    if not os.path.exists(path):
        raise RuntimeError(f'{path} is missing: install what has it')
    return path


def run(argv: list[str], environ: dict[str, str] | None = None) -> str:
    """Run a program to its end.

    :param environ: variables beside ours.
    :returns: what it wrote to its standard output.
    :raises AssertionError: if it fails, with all that it said.
    """
    found = subprocess.run(
        argv, env={**os.environ, **(environ or {})}, cwd='/', text=True,
        stdin=subprocess.DEVNULL, capture_output=True,
        timeout=2 * PATIENCE)
    assert found.returncode == 0, \
        f'{" ".join(argv)}: {found.stdout}{found.stderr}'
    return found.stdout


class Process:
    """One process and its output.

    :param name: for its log, in the directory.
    :param directory: a directory that its user can reach.
    :param argv: the program and its arguments.
    :param environ: variables beside ours.
    :param user: name of the user to run it as; None means ours.
    """

    def __init__(self, name: str, directory: str, argv: list[str],
                 environ: dict[str, str] | None = None,
                 user: str | None = None) -> None:
        self.name = name
        self.log = os.path.join(directory, f'{name}.out')
        self._argv = argv
        self._environ = {**os.environ, **(environ or {})}
        self._as: dict[str, Any] = {}
        if user:
            entry = pwd.getpwnam(user)
            self._as = {'user': entry.pw_uid, 'group': entry.pw_gid,
                        'extra_groups': []}
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self.process is not None
        return self.process.pid

    def start(self) -> None:
        """Start it, and do not wait."""
        with open(self.log, 'ab') as log:
            self.process = subprocess.Popen(
                self._argv, env=self._environ, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, cwd='/', start_new_session=True,
                **self._as)

    def wait_for_port(self, port: int) -> None:
        """Wait until it listens at a port of 127.0.0.1."""
        wait_until(lambda: self._alive() and listens(port),
                   f'{self.name} at port {port}')

    def _alive(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            with open(self.log, errors='replace') as log:
                raise AssertionError(f'{self.name} ended: {log.read()}')
        return True

    def stop(self, number: int = signal.SIGTERM) -> None:
        """End it, and wait for its end."""
        if self.process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(number)
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f'{self.name} did not end') from None
        finally:
            self.process = None

    def text(self) -> str:
        """All that it said."""
        with open(self.log, errors='replace') as log:
            return log.read()


class Wsgi(Process):
    """A WSGI application, served on 127.0.0.1.

    :param name: for its log, in the directory.
    :param directory: a directory that its user can reach.
    :param module: the module that has it under the name ``application``.
    :param port: where to serve it.
    :param environ: variables beside ours.
    :param arguments: of the application's own.
    """

    def __init__(self, name: str, directory: str, module: str, port: int,
                 environ: dict[str, str], *arguments: str) -> None:
        super().__init__(
            name, directory,
            [sys.executable, '-W', 'ignore', served.__file__, module,
             str(port), *arguments], environ)
        self._port = port

    def wait(self) -> None:
        """Wait until it serves."""
        self.wait_for_port(self._port)
