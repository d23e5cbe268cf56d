# SPDX-License-Identifier: Apache-2.0

"""Who uses a disk: what keeps its PCI device from being taken."""

from collections.abc import Iterable
from collections.abc import Iterator
import errno
import os
import re
import stat


def behind(address: str, root: str = '/') -> list[str]:
    """Disks and partitions behind a PCI device.

    :param address: of the device, e.g. ``"0000:3b:00.0"``.
    :param root: of the tree that is looked at.
    :returns: list of str, e.g. ``["nvme0n1", "nvme0n1p1"]``.

    An NVMe disk that may have several controllers is a device of its
    subsystem, which is no child of any of them (the kernel's
    ``nvme_core.multipath``); what is below the controller is hidden then.
    """
    device = os.path.join(
        os.path.realpath(os.path.join(root, 'sys/bus/pci/devices', address)),
        '')
    places = [device] + [
        os.path.join(os.path.realpath(subsystem), '') for subsystem in
        _entries(os.path.join(root, 'sys/class/nvme-subsystem'))
        if any(os.path.realpath(part).startswith(device)
               for part in _entries(subsystem))]
    return [os.path.basename(path) for path in
            _entries(os.path.join(root, 'sys/class/block'))
            if os.path.realpath(path).startswith(tuple(places))
            and os.path.exists(os.path.join(path, 'dev'))]


def of_device(path: str, root: str = '/') -> list[str]:
    """A disk and its partitions.

    :param path: of its device, e.g. ``"/dev/disk/by-id/..."``.
    :param root: of the tree that is looked at.
    :returns: list of str, the disk first; empty if the kernel knows none.
    """
    name = os.path.basename(os.path.realpath(path))
    place = os.path.join(root, 'sys/class/block', name)
    if not os.path.exists(os.path.join(place, 'dev')):
        return []
    return [name, *(os.path.basename(part) for part in _entries(place)
                    if os.path.exists(os.path.join(part, 'partition')))]


def users_of_file(path: str, root: str = '/') -> list[str]:
    """For what the kernel uses a file.

    :param path: its path.
    :param root: of the tree that is looked at.
    :returns: list of str, e.g. ``"/srv/a is used by loop0"``.
    """
    return [f'{path} is {what}'
            for what in _uses(os.path.realpath(path), root)]


def _entries(directory: str) -> list[str]:
    try:
        return [os.path.join(directory, name)
                for name in sorted(os.listdir(directory))]
    except OSError:
        return []


def _number(name: str, root: str) -> str:
    """``MAJOR:MINOR`` of a disk."""
    with open(os.path.join(root, 'sys/class/block', name, 'dev')) as stream:
        return stream.read().strip()


def users(name: str, root: str = '/') -> list[str]:
    """Who uses a disk or partition, as the kernel's files tell.

    :param name: its name, e.g. ``"nvme0n1p1"``.
    :returns: list of str, e.g. ``"nvme0n1p1 is mounted at /"``.
    """
    found = [f'{name} is mounted at {path}'
             for path in _mounted(_number(name, root), name, root)]
    found += [f'{name} is used by {os.path.basename(holder)}' for holder in
              _entries(os.path.join(root, 'sys/class/block', name,
                                    'holders'))]
    return found + [f'{name} is {what}'
                    for what in _uses(f'/dev/{name}', root)]


def _uses(path: str, root: str) -> Iterator[str]:
    """Swap and loop devices on a file or disk."""
    with open(os.path.join(root, 'proc/swaps')) as stream:
        if any(line.split()[0] == path for line in stream if line.strip()):
            yield 'swap'
    for loop in _entries(os.path.join(root, 'sys/block')):
        try:
            with open(os.path.join(loop, 'loop/backing_file')) as stream:
                if stream.read().strip() == path:
                    yield f'used by {os.path.basename(loop)}'
        except OSError:
            continue


def _mounted(number: str, name: str, root: str) -> Iterator[str]:
    # mountinfo: id, parent, major:minor, root, mount point, options, ...,
    # "-", type, source. Some file systems (btrfs) show a number of their
    # own there, so the source is looked at too.
    with open(os.path.join(root, 'proc/self/mountinfo')) as stream:
        for line in stream:
            fields = line.split()
            source = fields[fields.index('-') + 2]
            if fields[2] == number or source == f'/dev/{name}':
                # The kernel writes a blank in a path as \040.
                yield re.sub(r'\\(\d{3})', lambda m: chr(int(m[1], 8)),
                             fields[4])


def openers(names: Iterable[str]) -> list[str]:
    """Who has disks open. Needs root to see other users' processes.

    :param names: disks and partitions, as :func:`behind` returns them.
    :returns: list of str, e.g. ``"nvme0n1 is open in process 812 (dd)"``.
        What the kernel itself has taken (ZFS, an NVMe-oF or iSCSI target)
        is ``"nvme0n1 is in use by the kernel"``.
    """
    numbers = {_number(name, '/'): name for name in names}
    found = []
    for pid in sorted(filter(str.isdigit, os.listdir('/proc')), key=int):
        for number in sorted(_open_disks(pid) & numbers.keys()):
            found.append(f'{numbers[number]} is open in process {pid} '
                         f'({_comm(pid)})')
    return found + ([] if found else [
        f'{name} is in use by the kernel' for name in names if _taken(name)])


def _open_disks(pid: str) -> set[str]:
    found = set()
    for path in _entries(f'/proc/{pid}/fd'):
        try:
            status = os.stat(path)
        except OSError:
            continue  # Closed meanwhile.
        if stat.S_ISBLK(status.st_mode):
            found.add(f'{os.major(status.st_rdev)}:'
                      f'{os.minor(status.st_rdev)}')
    return found


def _comm(pid: str) -> str:
    try:
        with open(f'/proc/{pid}/comm') as stream:
            return stream.read().strip()
    except OSError:
        return 'gone'


def _taken(name: str) -> bool:
    """Whether somebody has it for himself (``O_EXCL``, see open(2))."""
    return is_taken(f'/dev/{name}')


def is_taken(path: str) -> bool:
    """Whether somebody has a device for himself (``O_EXCL``, see open(2)).

    File systems, LVM, md, swap, and who asks for it; of a disk also those
    that have one of its partitions. Who just has it open is not one of them.

    :param path: of the device.
    """
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_EXCL | os.O_NONBLOCK
                         | os.O_CLOEXEC))
    except OSError as exc:
        return exc.errno == errno.EBUSY
    return False
