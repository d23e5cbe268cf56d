# SPDX-License-Identifier: Apache-2.0

"""The process between a starter and a target; run as a script.

It forks and its parent part ends at once, so that the target belongs to no
session and no parent of the starter. The other part starts the target,
writes its process id, and stays as its parent until the starter closes the
pipe (the target is ready, or the starter is dead): so that the exit status
of a target that dies at its start is not lost. Then it ends, and the target
belongs to init.

It imports nothing of the project and little of Python: it has to be quick.

usage: spawn_helper.py LOG CWD UID GID PROGRAM [ARGUMENT...]
       spawn_helper.py --log LOG PROGRAM [ARGUMENT...]

UID and GID are those that the target runs with, and its log and socket have;
-1 leaves them as they are. The second form only opens the log and becomes
the program: for a unit of systemd that has a user.

stdin: a pipe; its end means "let go". stdout: a pipe; ``pid N``, then
``exit N`` if the target ends meanwhile, or ``error TEXT``.
"""

import os
import resource
import select
import signal
import subprocess
import sys

# A target's files are for its user and group: its socket is 0660 at once.
_UMASK = 0o117

# How often to look whether the target has ended, in seconds.
_INTERVAL = 0.01


def open_log(path: str) -> int:
    """The log, anew; what was there is kept as the one before.

    :param path: the log. Made by root, it belongs to the group of its
        directory.
    :returns: its file descriptor.
    """
    where, name = os.path.split(path)
    directory = os.open(where, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            os.rename(name, name + '.1', src_dir_fd=directory,
                      dst_dir_fd=directory)
        except FileNotFoundError:
            pass
        output = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL
                         | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC,
                         0o600, dir_fd=directory)
        os.fchmod(output, 0o640)
        if os.geteuid() == 0:
            owner = os.fstat(directory)
            os.fchown(output, owner.st_uid, owner.st_gid)
    finally:
        os.close(directory)
    return output


def _say(text: str) -> None:
    try:
        os.write(1, text.encode() + b'\n')
    except OSError:
        pass  # The starter is dead.


def _become(uid: int, gid: int) -> None:
    if uid != -1:
        os.setgroups([])
    if gid != -1:
        os.setgid(gid)
    if uid != -1:
        os.setuid(uid)


def _start(log: str, cwd: str, argv: tuple[str, ...]
           ) -> 'subprocess.Popen[bytes]':
    for number in range(1, signal.NSIG):
        try:
            signal.signal(number, signal.SIG_DFL)
        except (OSError, ValueError):
            pass
    # SPDK does not handle it, and would die of a terminal that closes.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    output = open_log(log)
    return subprocess.Popen(
        argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
        cwd=cwd, start_new_session=True, umask=_UMASK)


def execute(log: str, *argv: str) -> None:
    """Become the target, with its log."""
    output = open_log(log)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.execv(argv[0], argv)  # noqa: S606  # nosec B606


def main(log: str, cwd: str, uid: str, gid: str, *argv: str) -> None:
    """Start the target and watch over it until let go."""
    if os.fork():
        os._exit(0)
    try:
        _become(int(uid), int(gid))
        target = _start(log, cwd, argv)
    except OSError as exc:
        _say(f'error {exc.filename or argv[0]}: {exc.strerror}')
        return
    _say(f'pid {target.pid}')
    while target.poll() is None:
        if select.select([0], [], [], _INTERVAL)[0]:
            return
    _say(f'exit {target.returncode}')


if __name__ == '__main__':
    if sys.argv[1] == '--log':
        execute(*sys.argv[2:])
    main(*sys.argv[1:])
    # Not through Python's end: it would warn of a child that still runs.
    os._exit(0)
