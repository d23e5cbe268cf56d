# SPDX-License-Identifier: Apache-2.0

"""vhost controllers and SCSI devices."""

import dataclasses

from cyborg_spdk.clients.types import reported


@dataclasses.dataclass(frozen=True)
class ScsiLun(reported.Reported):
    """A LUN of a vhost SCSI target.

    :ivar id: its number.
    :ivar bdev_name: the bdev behind it.
    """

    id: int = reported.number(0)
    bdev_name: str = reported.text('')


@dataclasses.dataclass(frozen=True)
class ScsiTarget(reported.Reported):
    """A target of a vhost SCSI controller.

    :ivar scsi_dev_num: its number, 0 to 7.
    :ivar id: id of the SCSI device.
    :ivar target_name: ``Target N``.
    :ivar luns: tuple of :class:`ScsiLun`.
    """

    scsi_dev_num: int = reported.number(0)
    id: int = reported.number(0)
    target_name: str = reported.text('')
    luns: tuple[ScsiLun, ...] = reported.array(ScsiLun.parse)


@dataclasses.dataclass(frozen=True)
class VhostController(reported.Reported):
    """A vhost controller of either kind.

    :ivar ctrlr: its name.
    :ivar cpumask: cores that it may use, as text (``0x1``).
    :ivar delay_base_us: interrupt coalescing: base delay.
    :ivar iops_threshold: interrupt coalescing: from how many IOPS.
    :ivar socket: its vhost-user socket on the target's host, or None
        before v18.07.
    :ivar backend_specific: what tells the kind.
    """

    ctrlr: str = reported.text('')
    cpumask: str | None = reported.text()
    delay_base_us: int | None = reported.number()
    iops_threshold: int = reported.number(0)
    socket: str | None = reported.text()
    backend_specific: reported.Json = reported.mapping()

    @property
    def kind(self) -> str | None:
        """``blk``, ``scsi``, ``nvme`` (until v20.07), or None."""
        for key, name in (('block', 'blk'), ('scsi', 'scsi'),
                          ('namespaces', 'nvme')):
            if key in self.backend_specific:
                return name
        return None

    @property
    def bdev(self) -> str | None:
        """Bdev of a block controller; None if that is gone, or for SCSI."""
        block = self.backend_specific.get('block') or {}
        name: str | None = block.get('bdev')
        return name

    @property
    def readonly(self) -> bool:
        """Whether a block controller refuses writes."""
        block = self.backend_specific.get('block') or {}
        return bool(block.get('readonly'))

    @property
    def scsi_targets(self) -> tuple[ScsiTarget, ...]:
        """Targets of a SCSI controller (tuple of :class:`ScsiTarget`)."""
        return tuple(ScsiTarget.parse_list(self.backend_specific.get('scsi')))


@dataclasses.dataclass(frozen=True)
class ScsiDevice(reported.Reported):
    """A SCSI device of the target, for vhost or iSCSI.

    :ivar id: its number.
    :ivar device_name: its name.
    """

    id: int = reported.number(0)
    device_name: str = reported.text('')
