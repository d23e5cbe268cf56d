# SPDX-License-Identifier: Apache-2.0

"""Where SPDK is on this machine."""

from collections.abc import Mapping
import dataclasses
import functools
import mmap
import os
import re
import stat
import subprocess

from cyborg_spdk import conf as spdk_conf
from cyborg_spdk import exceptions
from cyborg_spdk.host import directories

#: Where the programs are inside a directory that names an SPDK: a built
#: source tree (build/bin since v20.04, app/NAME/NAME before), an installed
#: tree, or the directory of the programs itself.
_LAYOUT = ('build/bin/{0}', 'app/{0}/{0}', 'bin/{0}', '{0}')

#: Directories that are searched after spdk_dir, $SPDK_DIR and PATH.
SYSTEM_DIRS = ('/usr/local/bin', '/opt/spdk', '/usr/libexec/spdk')

#: Where a distribution package may have put setup.sh.
_SETUP_SH = ('scripts/setup.sh', 'setup.sh', '../scripts/setup.sh',
             '../../scripts/setup.sh', '../share/spdk/scripts/setup.sh',
             '/usr/share/spdk/scripts/setup.sh',
             '/usr/libexec/spdk/scripts/setup.sh')

#: Seconds that ``--version`` may take (5 ms for SPDK itself).
VERSION_TIMEOUT = 20

_VERSION = re.compile(r'SPDK v(\S+)')
#: What a program prints when it starts, as it stands in its file.
_WRITTEN = re.compile(
    rb'SPDK v\d+\.\d+(?:\.\d+)?(?:-\w+)?(?: git sha1 [0-9a-f]+)?(?=[\0\n ])')


@dataclasses.dataclass(frozen=True)
class Installation:
    """An SPDK that was found.

    :ivar applications: path of each program found, by name.
    :ivar setup_sh: path of ``setup.sh``, or None.
    :ivar version: what a program said of itself, e.g. ``"SPDK v26.05 git
        sha1 d519b163cb"``, or None if it says nothing (v18.01).
    :ivar origin: how it was found, e.g. ``"[spdk] spdk_dir"``.
    :ivar places: the places that were looked at, in order.
    """

    applications: dict[str, str]
    setup_sh: str | None
    version: str | None
    origin: str
    places: tuple[str, ...]

    @property
    def simulated(self) -> bool:
        """Whether this is the simulator: it needs neither root nor memory.

        The simulator puts the word into its version, so that nobody takes
        it for the real one.
        """
        return 'simulated' in (self.version or '').split()

    @property
    def release(self) -> tuple[int, int] | None:
        """The release as ``(year, month)``, or None if it is unknown."""
        match = re.search(r'v(\d+)\.(\d+)', self.version or '')
        return (int(match[1]), int(match[2])) if match else None

    def path(self, application: str) -> str:
        """Path of one program.

        :param application: its name, e.g. ``"nvmf_tgt"``.
        :raises NotInstalled: if this installation does not have it.
        """
        try:
            return self.applications[application]
        except KeyError:
            raise exceptions.NotInstalled(
                f"SPDK's {application}", self.places,
                f"{self.origin} has only "
                f"{', '.join(sorted(self.applications))}: build or install "
                f"{application} too") from None


def find(spdk_dir: str | None = None,
         environ: Mapping[str, str] | None = None) -> Installation:
    """Find SPDK.

    :param spdk_dir: the option ``[spdk] spdk_dir``; if it is set nothing
        else is searched.
    :param environ: the environment; None means that of the process.
    :returns: an :class:`Installation`; all its programs are of one place.
    :raises NotInstalled: if there is none; it names the places.
    """
    environ = os.environ if environ is None else environ
    if spdk_dir:
        return _find_in(spdk_dir, '[spdk] spdk_dir')
    if environ.get('SPDK_DIR'):
        return _find_in(environ['SPDK_DIR'], '$SPDK_DIR')
    places: list[str] = []
    search = [('PATH', path) for path in
              environ.get('PATH', '').split(os.pathsep)
              if os.path.isabs(path)]
    search += [(path, path) for path in SYSTEM_DIRS]
    for origin, path in search:
        applications = _applications(
            path, places, ('{0}',) if origin == 'PATH' else _LAYOUT)
        # vhost is a name that others use too.
        if applications and (set(applications) != {'vhost'}
                             or version(applications['vhost'])):
            return _installation(path, applications, origin, places)
    raise exceptions.NotInstalled(
        'SPDK', ['$SPDK_DIR (not set)'] + [
            'PATH' if origin == 'PATH' else path
            for origin, path in search[-len(SYSTEM_DIRS) - 1:]],
        'install it, or set [spdk] spdk_dir to where it is (or try '
        '--simulate)')


def _find_in(path: str, origin: str) -> Installation:
    if not os.path.exists(path):
        reason = 'it does not exist; correct the path'
    elif not os.path.isdir(path):
        reason = 'it is not a directory; name the directory of SPDK'
    else:
        places: list[str] = []
        applications = _applications(path, places)
        if applications:
            return _installation(path, applications, origin, places)
        reason = ('it holds none of ' + ', '.join(spdk_conf.APPLICATIONS)
                  + '; build SPDK there, or correct the path')
    raise exceptions.NotInstalled(
        'SPDK', [f'{origin} = {path}'], reason)


def _applications(directory: str, places: list[str],
                  layouts: tuple[str, ...] = _LAYOUT) -> dict[str, str]:
    """Programs of one directory; what was looked at is added to places."""
    places.append(directory)
    found = {}
    for name in spdk_conf.APPLICATIONS:
        for layout in layouts:
            path = os.path.join(directory, layout.format(name))
            if _usable(path):
                found[name] = path
                break
    return found


def _usable(path: str) -> bool:
    try:
        status = os.stat(path)
    except OSError:
        return False
    if not stat.S_ISREG(status.st_mode) or not os.access(path, os.X_OK):
        return False
    if status.st_mode & stat.S_IWOTH:
        raise exceptions.PrivilegeError(
            f"{path} can be written by anybody and is not run; chmod o-w "
            f"{path}")
    directories.check_program(path)
    return True


def _installation(directory: str, applications: dict[str, str], origin: str,
                  places: list[str]) -> Installation:
    first = next(iter(applications.values()))
    bases = (directory, os.path.dirname(os.path.realpath(first)))
    setup_sh = next(
        (os.path.normpath(path) for base in bases for name in _SETUP_SH
         if os.path.isfile(path := os.path.join(base, name))), None)
    return Installation(
        applications=applications, setup_sh=setup_sh,
        version=version(first), origin=origin, places=tuple(places))


def version(path: str) -> str | None:
    """What a program says of its version.

    Before v20.01 it has no ``--version``; since v18.04 it says it in the
    first line of its log, and that is looked for in the program's file.

    :param path: the program.
    :returns: e.g. ``"SPDK v26.05 git sha1 d519b163cb"``; None if it does
        not say. It needs neither root nor memory for this.
    """
    try:
        status = os.stat(path)
    except OSError:
        return None
    return _version(path, status.st_ino, status.st_mtime_ns)


@functools.lru_cache(maxsize=32)
def _version(path: str, inode: int, mtime: int) -> str | None:
    # Asked once for each state of the file: a new build is asked anew.
    try:
        done = subprocess.run(
            [path, '--version'], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            timeout=VERSION_TIMEOUT, check=False, text=True,
            errors='replace')
    except (OSError, subprocess.TimeoutExpired):
        return None
    lines = done.stdout.splitlines()
    if done.returncode != 0 or not lines or not _VERSION.search(lines[0]):
        return _written_version(path)
    return lines[0].strip()


def usage(path: str) -> str:
    """What a program says of its options; ``""`` if it says nothing.

    :param path: the program.
    """
    try:
        done = subprocess.run(
            [path, '-h'], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, timeout=VERSION_TIMEOUT, check=False,
            text=True, errors='replace')
    except (OSError, subprocess.TimeoutExpired):
        return ''
    return done.stdout


def _written_version(path: str) -> str | None:
    try:
        with open(path, 'rb') as stream, mmap.mmap(
                stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
            match = _WRITTEN.search(content)
            return match and match[0].decode()
    except (OSError, ValueError):
        # It may not be read, or is empty.
        return None
