# SPDX-License-Identifier: Apache-2.0

"""The disk of the guest: Debian, and the requirements of this package.

It is made once for each set of requirements and kept (see :data:`DIRECTORY`),
since its packages are downloaded; what is tested is copied in at each boot.
"""

import glob
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile

#: The tree that is tested.
TREE = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))

#: Where the disk is kept between runs.
DIRECTORY = os.environ.get('CYBORG_SPDK_TEST_GUEST_DIR') or os.path.join(
    TREE, '.tox', 'guest-disk')

#: Python environment of the guest.
PYTHON = '/opt/cyborg'

SUITE = 'bookworm'

PACKAGES = (
    'systemd', 'systemd-sysv', 'dbus', 'udev', 'kmod', 'linux-image-amd64',
    'initramfs-tools', 'zstd',
    # the way in, and the way of an unprivileged user to root
    'openssh-server', 'sudo',
    'python3', 'python3-venv',
    # what may use a disk
    'mdadm', 'lvm2', 'e2fsprogs', 'fdisk',
    # what a built SPDK is linked with, and its setup.sh calls
    'libaio1', 'libarchive13', 'libfuse3-3', 'libipsec-mb1', 'libnuma1',
    'libssl3', 'libstdc++6', 'liburing2', 'libuuid1', 'pciutils',
)

# Programs, and the Debian packages that have them.
_TOOLS = {
    'qemu-system-x86_64': 'qemu-system-x86', 'qemu-img': 'qemu-utils',
    'mmdebstrap': 'mmdebstrap', 'mke2fs': 'e2fsprogs', 'ssh':
    'openssh-client', 'ssh-keygen': 'openssh-client',
}

_PATH = os.environ.get('PATH', os.defpath) + ':/usr/sbin:/sbin'

# Modules that the root file system needs; the others come from it.
_MODULES = 'virtio_pci\nvirtio_blk\next4\n'

_NETWORK = '[Match]\nType=ether\n[Network]\nAddress=10.0.2.15/24\n'

# The harness waits for this line on the console.
_READY = """[Unit]
After=ssh.service systemd-networkd-wait-online.service
Wants=systemd-networkd-wait-online.service
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'echo GUEST IS READY > /dev/ttyS0'
[Install]
WantedBy=multi-user.target
"""

_UNWANTED = ('serial-getty@ttyS0.service', 'getty@tty1.service',
             'apt-daily.timer', 'apt-daily-upgrade.timer',
             'e2scrub_all.timer', 'e2scrub_reap.service', 'fstrim.timer',
             'mdcheck_start.timer', 'mdmonitor-oneshot.timer',
             'systemd-timesyncd.service')


class GuestError(Exception):
    """The guest cannot be made, or does not come up."""


def check_tools():
    """Say what the machine that runs the tests lacks.

    :raises GuestError: with the command that installs it.
    """
    missing = {package for tool, package in _TOOLS.items()
               if not shutil.which(tool, path=_PATH)}
    if missing:
        raise GuestError('the guest needs ' + ' '.join(sorted(missing))
                         + ': apt-get install --no-install-recommends '
                         + ' '.join(sorted(missing)))


def build():
    """Make the disk, unless it is there.

    :returns: the directory of ``root.img``, ``vmlinuz``, ``initrd`` and
        ``key`` (the private key of the guest's root).
    :raises GuestError: if a step fails, with what it said last.
    """
    check_tools()
    path = os.path.join(DIRECTORY, _digest())
    if os.path.isdir(path):
        return path
    if os.geteuid() != 0:
        raise GuestError(f'only root can make the disk in {path}; run the '
                         'tests as root, at least once')
    os.makedirs(DIRECTORY, exist_ok=True)
    for old in os.listdir(DIRECTORY):
        shutil.rmtree(os.path.join(DIRECTORY, old))
    with tempfile.TemporaryDirectory(dir=DIRECTORY) as work:
        os.mkdir(os.path.join(work, 'disk'))
        _make(os.path.join(work, 'root'), os.path.join(work, 'disk'))
        os.rename(os.path.join(work, 'disk'), path)
    return path


def _digest():
    """Names what the disk is made of."""
    found = hashlib.sha256()
    for name in (os.path.join(TREE, 'requirements.txt'),
                 os.path.join(TREE, 'setup.cfg'), __file__):
        with open(name, 'rb') as stream:
            found.update(stream.read())
    return found.hexdigest()[:16]


def _run(*argv):
    done = subprocess.run(
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, errors='replace', check=False,
        env={**os.environ, 'PATH': _PATH})
    if done.returncode != 0:
        raise GuestError(f"{' '.join(argv[:3])} ...: exit code "
                         f"{done.returncode}: {done.stdout[-2000:]}")


def _make(root, disk):
    _run('mmdebstrap', '--mode=root', '--variant=minbase',
         '--include=' + ','.join(PACKAGES),
         '--aptopt=Apt::Install-Recommends "false"',
         '--dpkgopt=path-exclude=/usr/share/doc/*',
         '--dpkgopt=path-exclude=/usr/share/man/*',
         '--dpkgopt=path-exclude=/usr/share/locale/*',
         # Small: it is unpacked by an emulated processor.
         '--essential-hook=mkdir -p "$1/etc/initramfs-tools/conf.d" && '
         'echo MODULES=list > "$1/etc/initramfs-tools/conf.d/guest" && '
         f"printf '{_MODULES}' > \"$1/etc/initramfs-tools/modules\"",
         SUITE, root)
    _configure(root)
    _install_python(root)
    key = os.path.join(disk, 'key')
    _run('ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', key)
    os.makedirs(os.path.join(root, 'root/.ssh'), 0o700, exist_ok=True)
    shutil.copy(f'{key}.pub', os.path.join(root,
                                           'root/.ssh/authorized_keys'))
    for name, pattern in (('vmlinuz', 'boot/vmlinuz-*'),
                          ('initrd', 'boot/initrd.img-*')):
        found, = glob.glob(os.path.join(root, pattern))
        shutil.copy(found, os.path.join(disk, name))
    _run('mke2fs', '-q', '-t', 'ext4', '-d', root,
         os.path.join(disk, 'root.img'), '4G')


def _configure(root):
    for name, text in (
            ('etc/fstab', '/dev/vda / ext4 noatime 0 1\n'),
            ('etc/hostname', 'guest\n'),
            ('etc/hosts', '127.0.0.1 localhost guest\n'),
            ('etc/systemd/network/guest.network', _NETWORK),
            ('etc/systemd/system/guest-is-ready.service', _READY)):
        with open(os.path.join(root, name), 'w') as stream:
            stream.write(text)
    _run('systemctl', '--root', root, 'enable', 'systemd-networkd', 'ssh',
         'guest-is-ready')
    _run('systemctl', '--root', root, 'mask', *_UNWANTED)
    _run('systemctl', '--root', root, 'set-default', 'multi-user.target')
    _run('chroot', root, 'useradd', '--system', '--create-home',
         '--home-dir', '/var/lib/cyborg', '--shell', '/bin/sh', 'cyborg')


def _install_python(root):
    """The requirements, by the guest's own Python and this user's pip."""
    shutil.copy('/etc/resolv.conf', os.path.join(root, 'etc/resolv.conf'))
    source = os.path.join(root, 'tmp/source')
    os.mkdir(source)
    _run(sys.executable, '-m', 'pip', 'wheel', '-q', '--no-deps',
         '--wheel-dir', source, TREE)
    shutil.copy(os.path.join(TREE, 'requirements.txt'), source)
    bundle = os.environ.get('PIP_CERT')
    if bundle:
        os.makedirs(os.path.join(root, os.path.dirname(bundle)[1:]),
                    exist_ok=True)
        shutil.copy(bundle, os.path.join(root, bundle[1:]))
    wheel, = glob.glob(os.path.join(source, '*.whl'))
    _run('chroot', root, 'python3', '-m', 'venv', PYTHON)
    _run('chroot', root, f'{PYTHON}/bin/pip', 'install', '-q', '-r',
         '/tmp/source/requirements.txt',
         f'/tmp/source/{os.path.basename(wheel)}[cyborg]')
    shutil.rmtree(source)
    os.unlink(os.path.join(root, 'etc/resolv.conf'))


if __name__ == '__main__':
    try:
        print(build())
    except GuestError as exc:
        sys.exit(str(exc))
