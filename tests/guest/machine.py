# SPDX-License-Identifier: Apache-2.0

"""The guest: a machine with two NUMA nodes, NVMe disks and an IOMMU.

QEMU emulates its processors (TCG), so that it needs no virtualisation; on
two cores it is up in a minute. One guest serves all tests of a run.
"""

import atexit
import os
import shlex
import shutil
import socket
import subprocess
import tempfile
import threading

from tests.guest import image

#: Directory of a real SPDK, or None for the simulator.
SPDK_DIR = os.environ.get('CYBORG_SPDK_TEST_SPDK_DIR') or None

#: Seconds for what takes far less on a machine that is not busy.
PATIENCE = 300

#: Addresses of the guest's disks: one on each NUMA node, and one that has
#: several controllers as far as the kernel can know.
LISTED, OTHER, SHARED = '0000:21:00.0', '0000:41:00.0', '0000:61:00.0'

#: Something that is no disk: the network.
NETWORK = '0000:00:03.0'

#: Where things are in the guest.
COMMAND = f'{image.PYTHON}/bin/cyborg-spdk'
CONFIGURATION = '/etc/cyborg/cyborg.conf'
SPDK = '/opt/spdk'
PROJECT = '/mnt/project'

_MEMORY_MB = 3072

_running = None


def booted(*, iommu):
    """The guest; it is booted, or booted again, as it is wanted.

    :param iommu: whether it has an IOMMU.
    :returns: :class:`Guest`.
    """
    global _running
    if _running is None:
        _running = Guest()
        atexit.register(_running.remove)
    if _running.iommu is not iommu:
        _running.boot(iommu=iommu)
    return _running


class Guest:
    """A machine with a disk of its own.

    :ivar iommu: whether it runs with an IOMMU; None if it does not run.
    """

    def __init__(self):
        self.iommu = None
        self._qemu = None
        self._source = image.build()
        # Not below TMPDIR: the path of a socket has at most 107 bytes.
        self._work = tempfile.mkdtemp(prefix='cyborg-spdk-guest-',
                                      dir='/var/tmp')
        subprocess.run(
            ['qemu-img', 'create', '-q', '-f', 'qcow2', '-F', 'raw', '-b',
             os.path.join(self._source, 'root.img'), self._path('root')],
            check=True)
        for address in (LISTED, OTHER, SHARED):
            with open(self._path(address), 'wb') as stream:
                stream.truncate(256 << 20)
        self._prepared = False

    def _path(self, name):
        return os.path.join(self._work, name.replace(':', '-'))

    def boot(self, *, iommu):
        """Shut it down if it runs, and boot it."""
        if self.iommu is not None:
            self._shut_down()
        with socket.socket() as probe:
            probe.bind(('127.0.0.1', 0))
            self._port = probe.getsockname()[1]
        self._qemu = subprocess.Popen(
            self._command(iommu), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self._await_boot()
        threading.Thread(target=self._drain, daemon=True,
                         name='console of the guest').start()
        self.iommu = iommu
        self._mount()

    def _command(self, iommu):
        command = [
            'qemu-system-x86_64', '-nodefaults', '-display', 'none',
            '-no-reboot', '-serial', 'stdio', '-accel', 'tcg,thread=multi',
            '-machine', 'q35', '-cpu', 'max', '-smp', '4',
            '-m', str(_MEMORY_MB),
            '-kernel', os.path.join(self._source, 'vmlinuz'),
            '-initrd', os.path.join(self._source, 'initrd'),
            '-append', 'root=/dev/vda rw console=ttyS0 quiet '
            'net.ifnames=0 intel_iommu=' + ('on' if iommu else 'off')]
        if iommu:
            # DPDK's addresses need 48 bits; QEMU's default is 39.
            command += ['-device', 'intel-iommu,intremap=on,aw-bits=48']
        for node, cpus in enumerate(('0-1', '2-3')):
            command += [
                '-object', f'memory-backend-ram,id=m{node},'
                f'size={_MEMORY_MB // 2}M',
                '-numa', f'node,nodeid={node},cpus={cpus},memdev=m{node}']
        # In this order: the network is to be NETWORK.
        command += [
            '-drive', f'file={self._path("root")},if=none,id=root,'
            'cache=unsafe',
            '-device', 'virtio-blk-pci,drive=root,bus=pcie.0,addr=2',
            '-netdev', 'user,id=network,restrict=on,'
            f'hostfwd=tcp:127.0.0.1:{self._port}-:22',
            '-device', 'virtio-net-pci,netdev=network,bus=pcie.0,addr=3,'
            'romfile=']
        return command + self._disks() + self._share(
            'project', image.TREE) + (
            self._share('spdk', SPDK_DIR) if SPDK_DIR else [])

    def _share(self, tag, path):
        """A directory of the host that the guest can read."""
        return ['-fsdev', f'local,id={tag},path={path},readonly=on,'
                'security_model=none', '-device',
                f'virtio-9p-pci,fsdev={tag},mount_tag={tag},bus=pcie.0']

    def _disks(self):
        command = ['-device', 'nvme-subsys,id=several']
        for number, address in enumerate((LISTED, OTHER, SHARED)):
            # The bus that a bridge has behind it is one more than its own.
            bus = int(address[5:7], 16) - 1
            command += [
                '-device', f'pxb-pcie,id=node{number},bus_nr={bus},'
                f'bus=pcie.0,numa_node={number % 2}',
                '-device', f'pcie-root-port,id=port{number},'
                f'bus=node{number},chassis={number + 1}',
                '-drive', f'file={self._path(address)},if=none,'
                f'id=disk{number},format=raw,cache=unsafe']
            if address == SHARED:
                command += [
                    '-device', f'nvme,serial=shared,bus=port{number},'
                    'subsys=several', '-device',
                    f'nvme-ns,drive=disk{number},shared=on']
            else:
                command += ['-device', f'nvme,serial=disk{number},'
                            f'drive=disk{number},bus=port{number}']
        return command

    def _await_boot(self):
        console = []
        timer = threading.Timer(PATIENCE, self._qemu.kill)
        timer.start()
        try:
            for line in self._qemu.stdout:
                console.append(line.decode(errors='replace').rstrip())
                if 'GUEST IS READY' in console[-1]:
                    return
        finally:
            timer.cancel()
        raise image.GuestError('the guest does not come up; its console: '
                               + ' | '.join(console[-20:]))

    def _drain(self):
        for _ in self._qemu.stdout:
            pass

    def _mount(self):
        """Have the tree that is tested, and SPDK, in the guest."""
        self.run(
            f'mkdir -p {PROJECT} {SPDK} && {_mount("project", PROJECT)} && '
            f'cd {image.PYTHON}/lib/python3*/site-packages && '
            'rm -rf cyborg_spdk && '
            f'cp -r {PROJECT}/cyborg_spdk . && '
            f'{image.PYTHON}/bin/python -m compileall -q cyborg_spdk')
        if SPDK_DIR:
            self.run(_mount('spdk', SPDK))
        elif not self._prepared:
            self.run(f'{COMMAND} simulate install {SPDK}')
        self._prepared = True

    def run(self, command, *, user='root', check=True, stdin=''):
        """Run a command of the shell in the guest.

        :param command: str.
        :param user: who runs it.
        :param check: whether an exit status other than 0 is an error.
        :param stdin: what it reads.
        :returns: ``subprocess.CompletedProcess`` with ``stdout`` and
            ``stderr`` as str.
        """
        if user != 'root':
            command = f'runuser -u {user} -- sh -c {shlex.quote(command)}'
        done = subprocess.run(
            ['ssh', '-q', '-T', '-i', os.path.join(self._source, 'key'),
             '-p', str(self._port), '-o', 'BatchMode=yes',
             '-o', 'StrictHostKeyChecking=no',
             '-o', 'UserKnownHostsFile=/dev/null',
             '-o', 'ControlMaster=auto', '-o', 'ControlPersist=yes',
             '-o', f'ControlPath={self._path("ssh")}',
             'root@127.0.0.1', command],
            input=stdin, capture_output=True, text=True, timeout=PATIENCE,
            check=False)
        if check and done.returncode != 0:
            raise AssertionError(
                f'{command}: exit status {done.returncode}\n{done.stdout}'
                f'\n{done.stderr}')
        return done

    def write(self, path, text, mode='644'):
        """Write a file in the guest."""
        self.run(f'mkdir -p {os.path.dirname(path)} && cat > {path} && '
                 f'chmod {mode} {path}', stdin=text)

    def _shut_down(self):
        self.run('systemctl poweroff', check=False)
        self._close_ssh()
        self.iommu = None
        try:
            self._qemu.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._qemu.kill()
            self._qemu.wait()
            raise AssertionError('the guest does not shut down') from None

    def _close_ssh(self):
        subprocess.run(
            ['ssh', '-q', '-O', 'exit', '-o',
             f'ControlPath={self._path("ssh")}', 'root@127.0.0.1'],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            check=False)

    def remove(self):
        """End it, and remove its disks."""
        if self._qemu is not None:
            self._close_ssh()
            self._qemu.kill()
            self._qemu.wait()
        shutil.rmtree(self._work)


def _mount(tag, path):
    return ('mount -t 9p -o ro,trans=virtio,version=9p2000.L,'
            f'msize=524288,cache=loose {tag} {path}')
