# SPDX-License-Identifier: Apache-2.0

"""vhost-user controllers, with real sockets (``lib/vhost``)."""

import os
import socket

from spdk_simulator import errors

SCSI_TARGETS = 8
_MODULE = "vhost_blk"
# struct sockaddr_un holds 108 bytes; lib/vhost's own limit is PATH_MAX.
_SOCKET_PATH = 107


class Controller:
    """One controller, a block or a SCSI one.

    :ivar kind: ``"block"`` or ``"scsi"``.
    :ivar slot: its place in the list, the first that was free.
    """

    def __init__(self, name, kind, cpumask, path):
        self.name = name
        self.kind = kind
        self.slot = 0
        self.cpumask = cpumask
        self.path = path
        self.delay_base_us = 0
        self.iops_threshold = 60000
        self.socket = None
        self.bdev = None
        self.opener = None
        self.readonly = False
        self.transport = "vhost_user_blk"
        self.packed_ring = False
        self.targets = {}
        self.delay = False
        self.started = True
        self.given_cpumask = None

    def open_socket(self):
        """Make the socket that a virtual machine connects to.

        :returns: whether that went well. Connections are taken by the
            backlog; nobody speaks vhost-user on them.
        """
        if len(os.fsencode(self.path)) > _SOCKET_PATH:
            # Recorded: such a controller is made all the same.
            return True
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            if os.path.exists(self.path):
                os.unlink(self.path)
            sock.bind(self.path)
            sock.listen(128)
        except OSError:
            sock.close()
            return False
        self.socket = sock
        return True

    def close_socket(self):
        """Remove the socket."""
        if self.socket is not None:
            self.socket.close()
            self.socket = None
            try:
                os.unlink(self.path)
            except OSError:
                return


class Layer:
    """All vhost controllers of a target."""

    def __init__(self, target):
        self.target = target
        self.controllers = {}
        self.last_thread = 1
        self.directory = target.config.vhost_dir or os.getcwd()

    def ordered(self):
        """The controllers in the order in which the release lists them."""
        if self.target.release >= 2501:
            return sorted(self.controllers.values(), key=lambda c: c.name)
        if self.target.release < 1804:
            return sorted(self.controllers.values(), key=lambda c: c.slot)
        return list(self.controllers.values())

    def path(self, name):
        """Where a controller's socket is."""
        return os.path.join(self.directory, name)

    def get(self, name):
        """Find one.

        :raises errors.CallError: -32602 "No such device".
        """
        try:
            return self.controllers[name]
        except KeyError:
            raise errors.no_device(errors.INVALID_PARAMS) from None

    def cpumask(self, text):
        """Check a core mask against the program's.

        :returns: the mask as vhost shows it.
        :raises errors.CallError: -32602 "Invalid argument".
        """
        mine = sum(1 << core for core in self.target.cores())
        if text is None:
            return f"0x{mine:x}"
        try:
            mask = parse_mask(text)
        except ValueError:
            raise errors.invalid(errors.INVALID_PARAMS) from None
        if self.target.release < 2104:
            # Other cores are left out.
            mask &= mine
        if not mask & mine or mask & ~mine:
            raise errors.invalid(errors.INVALID_PARAMS)
        return f"0x{mask:x}"

    def add(self, controller):
        """Make a controller known and open its socket.

        :raises errors.CallError: -32602 with the system's text.
        """
        if controller.name in self.controllers:
            raise errors.exists(errors.INVALID_PARAMS)
        if not controller.name or (
                controller.started and not controller.open_socket()):
            raise errors.system(5, errors.INVALID_PARAMS)
        used = {other.slot for other in self.controllers.values()}
        controller.slot = min(set(range(len(used) + 1)) - used)
        self.controllers[controller.name] = controller
        self.last_thread += 1
        controller.thread = self.last_thread

    def threads(self):
        """Each controller has a thread of its own: (id, name, core)."""
        return [(controller.thread, controller.name,
                 (int(controller.cpumask, 16) & -int(
                     controller.cpumask, 16)).bit_length() - 1)
                for controller in self.controllers.values()]

    def remove(self, controller):
        """Remove a controller with all that it has."""
        controller.close_socket()
        self.detach(controller)
        for number in list(controller.targets):
            self.remove_target(controller, number)
        self.controllers.pop(controller.name, None)

    def attach(self, controller, bdev):
        """Open a bdev for a block controller."""
        controller.bdev = bdev
        controller.opener = lambda _bdev: self.detach(controller)
        bdev.openers.append(controller.opener)
        bdev.channel = bdev.stuck or 2007 <= self.target.release < 2309

    def detach(self, controller):
        """Close the bdev of a block controller."""
        bdev, controller.bdev = controller.bdev, None
        if bdev is not None:
            bdev.openers.remove(controller.opener)
            bdev.channel = bdev.stuck
            self.target.bdevs.closed(bdev)

    def add_target(self, controller, number, bdev):
        """Put a bdev behind a SCSI target."""
        device = self.target.scsi.add(f"Target {number}")
        device.luns[0] = bdev
        device.opener = lambda _bdev: self.remove_target(controller, number)
        bdev.openers.append(device.opener)
        controller.targets[number] = device

    def remove_target(self, controller, number):
        """Remove a SCSI target."""
        device = controller.targets.pop(number)
        device.luns[0].openers.remove(device.opener)
        self.target.bdevs.closed(device.luns[0])
        self.target.scsi.remove(device)

    def shut_down(self):
        """Remove the sockets."""
        for controller in list(self.controllers.values()):
            controller.close_socket()


def parse_mask(text):
    """Read a core mask: ``0x3``, ``3`` (hexadecimal) or ``[0,2-4]``.

    :returns: the mask as a number.
    :raises ValueError: it is none.
    """
    if text.startswith("["):
        if not text.endswith("]"):
            raise ValueError(text)
        mask = 0
        for part in text[1:-1].split(","):
            first, _, last = part.partition("-")
            if not first.strip().isdigit():
                raise ValueError(text)
            low = int(first)
            high = int(last) if last else low
            if high < low or high > 1023:
                raise ValueError(text)
            for core in range(low, high + 1):
                mask |= 1 << core
        return mask
    digits = text[2:] if text[:2] in ("0x", "0X") else text
    if not digits or digits.strip("0123456789abcdefABCDEF,"):
        raise ValueError(text)
    return int(digits.replace(",", ""), 16)
