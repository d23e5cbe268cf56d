# SPDX-License-Identifier: Apache-2.0

"""The privileged helper itself: the program ``cyborg-spdk-privileged``.

It takes no arguments, so that sudoers allows exactly this program. Its
standard input is the socket of who asks. Its configuration is read from
files that only root can write, and from nothing else: no option, no
variable of the environment.
"""

from collections.abc import Sequence
import os
import signal
import socket
import stat
import struct
import sys
from typing import Any
import warnings

from oslo_config import cfg

with warnings.catch_warnings():
    warnings.simplefilter('ignore')
    from oslo_privsep import comm
    from oslo_privsep import daemon

from cyborg_spdk import conf as spdk_conf
from cyborg_spdk import exceptions
from cyborg_spdk.host import directories
from cyborg_spdk.host import privileged
from cyborg_spdk import loggers

LOG = loggers.get(__name__)

#: The helper's own configuration. Where it does not exist, the files that
#: the agent and the command read.
OWN_FILE = '/etc/cyborg_spdk/privileged.conf'
SHARED_FILES = ('/etc/cyborg/cyborg.conf',
                '/etc/cyborg_spdk/cyborg_spdk.conf')

_ENVIRON = {'PATH': '/usr/sbin:/usr/bin:/sbin:/bin', 'LC_ALL': 'C.UTF-8',
            'HOME': '/'}

_PEERCRED = struct.Struct('3i')

_ENTRY = f'{privileged.__name__}.{privileged.perform.args[0].__name__}'


class _Channel(comm.ServerChannel):
    """Lets through calls of our entry point, and pings.

    oslo.privsep imports the module of whatever name a call has, and looks
    afterwards whether it may be called.
    """

    def __next__(self) -> Any:
        while True:
            try:
                found = super().__next__()
            except (StopIteration, OSError):
                raise StopIteration from None
            except Exception as exc:
                # What is not msgpack; nothing after it can be understood.
                LOG.warning('what was asked of the helper is not understood: '
                            '%r', exc)
                raise StopIteration from None
            if isinstance(found, tuple) and len(found) == 2 and \
                    isinstance(found[0], str):
                return found[0], _vetted(found[1])


def _vetted(message: Any) -> tuple[Any, ...]:
    """The message, or one that is answered by a refusal."""
    if isinstance(message, tuple) and message and \
            message[0] == comm.Message.PING.value:
        return (comm.Message.PING.value,)
    if isinstance(message, tuple) and len(message) == 4:
        kind, name, args, named = message
        if kind == comm.Message.CALL.value and name == _ENTRY and \
                isinstance(args, tuple) and len(args) == 2 and named == {}:
            return message
    return (comm.Message.CALL.value, _ENTRY, ('', ()), {})


def configuration(files: Sequence[str] | None = None) -> cfg.ConfigOpts:
    """Read the helper's configuration.

    :param files: its files; None means :data:`OWN_FILE`, or
        :data:`SHARED_FILES` where that does not exist.
    :raises PrivilegeError: if others than root can write one of them.
    :raises ConfigurationError: for a value that cannot be used.
    """
    if files is None:
        files = [OWN_FILE] if os.path.exists(OWN_FILE) else [
            name for name in SHARED_FILES if os.path.exists(name)]
    found = []
    for name in files:
        path, status = directories.check_root_only(name)
        if not stat.S_ISREG(status.st_mode):
            raise exceptions.PrivilegeError(
                f"{name} is no file; correct it")
        found.append(path)
    conf = cfg.ConfigOpts()
    try:
        conf([], project='cyborg_spdk', default_config_files=found,
             default_config_dirs=[], use_env=False)
    except cfg.Error as exc:
        raise exceptions.ConfigurationError(
            'configuration', ', '.join(found),
            ' '.join(str(exc).split())) from None
    spdk_conf.register(conf)
    spdk_conf.targets(conf)
    return conf


def _caller() -> tuple[socket.socket, tuple[int, int]]:
    """The socket on the standard input, and who is at its other end.

    :raises PrivilegeError: if it is none.
    """
    try:
        if not stat.S_ISSOCK(os.fstat(0).st_mode):
            raise OSError
        sock = socket.socket(fileno=os.dup(0))
        if sock.family != socket.AF_UNIX or \
                sock.type != socket.SOCK_STREAM:
            raise OSError
        _, uid, gid = _PEERCRED.unpack(sock.getsockopt(
            socket.SOL_SOCKET, socket.SO_PEERCRED, _PEERCRED.size))
    except OSError:
        raise exceptions.PrivilegeError(
            'the privileged helper is started by the Cyborg agent and by '
            'cyborg-spdk, not by hand') from None
    os.set_inheritable(sock.fileno(), False)
    return sock, (uid, gid)


def main(files: Sequence[str] | None = None) -> int:
    """Serve who is at the other end of the standard input.

    :param files: as for :func:`configuration`.
    :returns: exit status: 0 if a process in the background serves him.
    """
    os.environ.clear()
    os.environ.update(_ENVIRON)
    os.umask(0o022)
    os.chdir('/')
    try:
        if len(sys.argv) > 1:
            raise exceptions.PrivilegeError(
                'the privileged helper takes no arguments')
        sock, caller = _caller()
        conf = configuration(files)
        cfg.CONF([], project='cyborg_spdk', default_config_files=[],
                 default_config_dirs=[], use_env=False)
    except exceptions.SpdkError as exc:
        print(exc, file=sys.stderr)
        return 1
    # It lives on when sudo, and the terminal that sudo may have made, end.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    if os.fork():
        return 0
    os.setsid()
    privileged.serve(conf, caller)
    channel = _Channel(sock)
    daemon.replace_logging(daemon.PrivsepLogHandler(channel))
    try:
        daemon.Daemon(channel, privileged.context).run()
    except Exception as exc:
        LOG.exception('the privileged helper ends: %s', exc)
        os._exit(1)
    os._exit(0)


if __name__ == '__main__':
    sys.exit(main())
