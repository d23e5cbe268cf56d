# SPDX-License-Identifier: Apache-2.0

"""The disks of a domain's XML: those that are there, and ours to add.

Ours are known by an alias of their own, ``ua-cyborg-`` and the UUID of the
unit's provider; libvirt keeps a user's alias that begins with ``ua-``
(libvirt, formatdomain, "alias"). Nothing else in a domain is touched.
"""

from collections.abc import Iterable
import dataclasses
import re
import string
from xml.etree import ElementTree  # nosec B405

#: What our aliases begin with.
ALIAS = 'ua-cyborg-'

#: Names of virtio disks, the last first: Nova takes the first ones that are
#: free (nova/compute/utils.py get_next_device_name).
NAMES = tuple(f'vd{letter}' for letter in reversed(string.ascii_lowercase))


# libvirt, src/security/security_dac.c: "+64055:+64055".
_LABEL = re.compile(r'\+(\d+):\+\d+\Z')


@dataclasses.dataclass(frozen=True)
class Disk:
    """A disk of a domain.

    :ivar device: its name in the domain, for example ``"vdz"``.
    :ivar alias: its alias, or ''.
    :ivar source: path of the vhost-user socket, or the iSCSI name with the
        LUN (``iqn/lun``), or ''.
    """

    device: str
    alias: str
    source: str

    @property
    def provider(self) -> str | None:
        """UUID of the unit's provider, if the disk is one of ours."""
        return self.alias.removeprefix(ALIAS) \
            if self.alias.startswith(ALIAS) else None


@dataclasses.dataclass(frozen=True)
class Domain:
    """What is to be known of a running domain.

    :ivar uuid: its UUID: for Nova, the instance's.
    :ivar name: its name.
    :ivar disks: its disks, as they are now.
    :ivar shared_memory: whether vhost-user can reach its memory: NUMA cells
        with ``memAccess='shared'``, or ``<memoryBacking>`` with
        ``<access mode='shared'/>``.
    """

    uuid: str
    name: str
    disks: tuple[Disk, ...]
    shared_memory: bool

    def ours(self) -> dict[str, Disk]:
        """Our disks, by the UUID of their providers."""
        return {disk.provider: disk for disk in self.disks
                if disk.provider is not None}

    def free_device(self) -> str | None:
        """A name for one more disk, or None."""
        taken = {disk.device for disk in self.disks}
        return next((name for name in NAMES if name not in taken), None)


def parse(text: str) -> Domain:
    """Understand a domain's XML.

    :param text: as ``virDomainGetXMLDesc`` gives it.
    :raises ValueError: if it is none.
    """
    try:
        # libvirt's own text: it has no document type.
        root = ElementTree.fromstring(text)  # noqa: S314  # nosec B314
    except ElementTree.ParseError as exc:
        raise ValueError(f'the XML of a domain makes no sense: {exc}') \
            from None
    return Domain(
        uuid=root.findtext('uuid', ''), name=root.findtext('name', ''),
        disks=tuple(_disk(node) for node in root.iterfind('devices/disk')),
        shared_memory=any(
            node.get('memAccess') == 'shared'
            for node in root.iterfind('cpu/numa/cell')) or any(
                node.get('mode') == 'shared'
                for node in root.iterfind('memoryBacking/access')))


def qemu_uid(capabilities: str) -> int | None:
    """The user that QEMU runs as, where libvirt runs it as one of its own.

    :param capabilities: as ``virConnectGetCapabilities`` gives it.
    :returns: its id; None if it does not tell.
    """
    for model in _models(capabilities):
        if model.findtext('model') != 'dac':
            continue
        for label in model.iterfind('baselabel'):
            found = _LABEL.match(label.text or '')
            if label.get('type') in ('kvm', 'qemu') and found:
                return int(found[1])
    return None


def security_models(capabilities: str) -> tuple[str, ...]:
    """Names of what confines QEMU.

    :param capabilities: as for :func:`qemu_uid`.
    """
    return tuple(model.findtext('model', '')
                 for model in _models(capabilities))


def _models(capabilities: str) -> list[ElementTree.Element]:
    # libvirt's own text: it has no document type.
    root = ElementTree.fromstring(capabilities)  # noqa: S314  # nosec B314
    return root.findall('host/secmodel')


def _disk(node: ElementTree.Element) -> Disk:
    def attribute(path: str, name: str) -> str:
        found = node.find(path)
        return '' if found is None else found.get(name, '')
    return Disk(attribute('target', 'dev'), attribute('alias', 'name'),
                attribute('source', 'path') or attribute('source', 'name'))


def users(domains: Iterable[Domain], source: str) -> list[Domain]:
    """Domains that have a disk of this source.

    :param domains: the domains to look at.
    :param source: see :attr:`Disk.source`.
    """
    return [domain for domain in domains
            if any(disk.source == source for disk in domain.disks)]


def vhost_user(socket: str, device: str, provider: str) -> str:
    """XML of a vhost-user disk.

    QEMU connects again when the target has come back (``reconnect``); libvirt
    before 11 loses that at a hot plug.

    :param socket: path of the controller's socket.
    :param device: its name in the domain.
    :param provider: UUID of the unit's provider.
    """
    disk = ElementTree.Element('disk', type='vhostuser', device='disk',
                               snapshot='no')
    ElementTree.SubElement(disk, 'driver', name='qemu', type='raw')
    source = ElementTree.SubElement(disk, 'source', type='unix', path=socket)
    ElementTree.SubElement(source, 'reconnect', enabled='yes', timeout='1')
    return _finish(disk, device, provider)


def iscsi(node: str, lun: str, portal: tuple[str, str], initiator: str,
          device: str, provider: str) -> str:
    """XML of an iSCSI disk that QEMU's libiscsi connects.

    :param node: IQN of the target node.
    :param lun: number of the LUN.
    :param portal: host and port.
    :param initiator: IQN of the initiator.
    :param device: its name in the domain.
    :param provider: UUID of the unit's provider; the serial, too.
    """
    disk = ElementTree.Element('disk', type='network', device='disk')
    ElementTree.SubElement(disk, 'driver', name='qemu', type='raw',
                           cache='none', discard='unmap')
    source = ElementTree.SubElement(disk, 'source', protocol='iscsi',
                                    name=f'{node}/{lun}')
    ElementTree.SubElement(source, 'host', name=portal[0], port=portal[1])
    ElementTree.SubElement(ElementTree.SubElement(source, 'initiator'),
                           'iqn', name=initiator)
    ElementTree.SubElement(disk, 'serial').text = provider
    return _finish(disk, device, provider)


def _finish(disk: ElementTree.Element, device: str, provider: str) -> str:
    ElementTree.SubElement(disk, 'target', dev=device, bus='virtio')
    ElementTree.SubElement(disk, 'alias', name=ALIAS + provider)
    return ElementTree.tostring(disk, encoding='unicode')
