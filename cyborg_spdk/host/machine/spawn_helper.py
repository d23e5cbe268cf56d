# SPDX-License-Identifier: Apache-2.0

"""The process between a starter and a target; run as a script.

It forks and its parent part ends at once, so that the target belongs to no
session and no parent of the starter. The other part starts the target,
writes its process id, and stays as its parent until the starter closes the
pipe (the target is ready, or the starter is dead): so that the exit status
of a target that dies at its start is not lost. Then it ends, and the target
belongs to init.

It imports nothing of the project and little of Python: it has to be quick.

usage: detached.py LOG CWD GID PROGRAM [ARGUMENT...]

GID is the group that the target runs with, and its socket has; -1 leaves it
as it is.

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


def open_log(path):
    """The log, anew; what was there is kept as the one before.

    :param path: the log. Made by root, it belongs to the owner of its
        directory.
    :returns: its file descriptor.
    """
    try:
        os.rename(path, path + '.1')
    except FileNotFoundError:
        pass
    output = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL
                     | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o640)
    if os.geteuid() == 0:
        owner = os.stat(os.path.dirname(path))
        os.fchown(output, owner.st_uid, owner.st_gid)
    return output


def _say(text):
    try:
        os.write(1, text.encode() + b'\n')
    except OSError:
        pass  # The starter is dead.


def _start(log, cwd, gid, argv):
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
        cwd=cwd, start_new_session=True, umask=_UMASK,
        group=None if gid == -1 else gid)


def main(log, cwd, gid, *argv):
    """Start the target and watch over it until let go."""
    if os.fork():
        os._exit(0)
    try:
        target = _start(log, cwd, int(gid), argv)
    except OSError as exc:
        _say(f'error {exc.filename or argv[0]}: {exc.strerror}')
        return
    _say(f'pid {target.pid}')
    while target.poll() is None:
        if select.select([0], [], [], _INTERVAL)[0]:
            return
    _say(f'exit {target.returncode}')


if __name__ == '__main__':
    main(*sys.argv[1:])
    # Not through Python's end: it would warn of a child that still runs.
    os._exit(0)
