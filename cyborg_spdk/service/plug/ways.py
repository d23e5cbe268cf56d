# SPDX-License-Identifier: Apache-2.0

"""How a unit of each kind gets to a guest of this host, and back.

==========  ==============================================================
vhost-blk   QEMU connects to the controller's socket
NVMe-oF     the local vhost target is the initiator, and exports what it
            sees as a vhost-blk controller: no kernel initiator is needed
iSCSI       QEMU logs in itself (libiscsi)
==========  ==============================================================

Everything here may be done again: what is so already stays so.
"""

from collections.abc import Callable
import contextlib
import dataclasses
import os

from oslo_config import cfg

from cyborg_spdk import clients
from cyborg_spdk import conf as spdk_conf
from cyborg_spdk import exceptions
from cyborg_spdk.host.machine import unix_sockets
from cyborg_spdk.host import process
from cyborg_spdk import rpc
from cyborg_spdk.service.plug import domain_xml
from cyborg_spdk.units import attach
from cyborg_spdk.units.attach import vhost as attach_vhost
from cyborg_spdk.units import handles
from cyborg_spdk.units import holders
from cyborg_spdk.units import internal
from cyborg_spdk.units import listeners
from cyborg_spdk.units.wipe import marks
from cyborg_spdk.units.wipe import vhost_user_blk

#: Makes the XML of a disk from its name in the domain.
MakeXml = Callable[[str], str]

# Seconds that a target may take to answer on a vhost-user socket.
_PATIENCE = 2.0

_EVERYWHERE = {'0.0.0.0': '127.0.0.1', '::': '::1'}  # noqa: S104  # nosec


@dataclasses.dataclass(frozen=True)
class Job:
    """A unit and the instance that it is given to.

    :ivar conf: the configuration.
    :ivar target: the unit's target.
    :ivar kind: kind of its handle.
    :ivar handle: its handle.
    :ivar provider: UUID of its provider.
    :ivar instance: UUID of the instance, and of its domain.
    :ivar qemu_user: name of the user that QEMU runs as.
    """

    conf: cfg.ConfigOpts
    target: spdk_conf.Target
    kind: str
    handle: dict[str, str]
    provider: str
    instance: str
    qemu_user: str

    @property
    def client(self) -> rpc.Client:
        """The RPC client of the unit's target."""
        return rpc.connect(self.target.rpc_address,
                           timeout=self.conf.spdk.connect_timeout)

    @property
    def host_nqn(self) -> str:
        """NQN of the instance as a host (NVMe base specification, 4.7)."""
        return f'nqn.2014-08.org.nvmexpress:uuid:{self.instance}'

    @property
    def initiator(self) -> str:
        """IQN of the instance as an initiator."""
        return f'iqn.2016-06.io.spdk:{internal.PLUG}{self.instance}'

    @property
    def bridge(self) -> str:
        """Name of the NVMe controller, and of the vhost controller."""
        return internal.PLUG + self.provider


def job(conf: cfg.ConfigOpts, target: spdk_conf.Target, handle: str,
        provider: str, instance: str, qemu_user: str) -> Job:
    """A :class:`Job` of a reported unit.

    :raises HypervisorError: for a unit that cannot be plugged.
    """
    kind, parts = handles.parse(handle)
    if 'target' in parts:
        raise exceptions.HypervisorError(
            f'{handle}: libvirt cannot plug a vhost-scsi unit; export it as '
            'a vhost-blk controller')
    return Job(conf, target, kind, parts, provider, instance, qemu_user)


def let_in(one: Job) -> MakeXml:
    """Make a unit reachable for the guest, and for nobody else. Blocks.

    Before that it is noted on disk whose unit it is, and it is reserved in
    Placement.

    :param one: the unit and the instance.
    :returns: what makes the disk's XML.
    :raises DirtyUnit: if it has another's data, or is another's.
    :raises SilentTarget: if nobody serves the unit's socket.
    :raises SpdkError: if that is not possible.
    """
    return {'vhost': _vhost_in, 'nvmf': _nvmf_in,
            'iscsi': _iscsi_in}[one.kind](one)


def keep(one: Job, source: str) -> None:
    """See that QEMU can connect again to a disk that is plugged. Blocks.

    A target that was started anew makes its sockets as its user's, and the
    local vhost target knows nothing of a unit of another target any more.

    :param one: the unit and the instance.
    :param source: the disk's source in the domain.
    :raises SpdkError: as :func:`let_in`.
    """
    if one.kind == 'iscsi':
        return
    with contextlib.suppress(OSError):
        if attach_vhost.reachable(source, one.qemu_user):
            return
    let_in(one)


def lost(one: Job, source: str) -> bool:
    """Whether QEMU is not connected to a disk that is plugged. Blocks.

    :param one: the unit.
    :param source: the disk's source in the domain.
    :returns: False also if that is not known, or if the target is away.
    """
    if one.kind == 'iscsi':
        return False
    seen = unix_sockets.look(source)
    return seen.listening and not seen.connections and \
        vhost_user_blk.answers(source, _PATIENCE)


def take_out(one: Job) -> None:
    """Take back what :func:`let_in` did; no domain has the disk any more.

    :param one: the unit and the instance.
    :raises Busy: if somebody is connected still.
    :raises SpdkError: if it cannot be taken back now.
    """
    if one.kind == 'nvmf':
        _bridge_out(one)
        _forbid(one, one.host_nqn)
    elif one.kind == 'iscsi':
        _forbid(one, one.initiator)
    else:
        _forbid(one, one.qemu_user)


def connected(one: Job) -> tuple[str, ...]:
    """Who is connected to the unit, as its target names them.

    :param one: the unit.
    :raises NotFound: if there is no such unit.
    """
    return holders.look(one.client, one.kind, one.handle).connected


def sources(one: Job) -> tuple[str, ...]:
    """The sources that a disk of the unit has in a domain.

    See :attr:`cyborg_spdk.service.plug.domain_xml.Disk.source`.

    :param one: the unit.
    """
    if one.kind == 'vhost':
        return (one.handle['socket'],)
    if one.kind == 'iscsi':
        return (f'{one.handle["iqn"]}/{one.handle["lun"]}',)
    found = clients.VhostTgt(_local_vhost(one)).find_controller(one.bridge)
    return (found.socket,) if found and found.socket else ()


def _allow(one: Job, consumer: str) -> attach.Attachment:
    return attach.attach(one.conf, one.target, one.handle, consumer,
                         owner=one.instance, maker=marks.PLUG)


def _forbid(one: Job, consumer: str) -> None:
    try:
        attach.detach(one.conf, one.target, one.handle, consumer,
                      owner=one.instance, maker=marks.PLUG)
    except exceptions.NotFound:
        pass  # The unit has gone, and the access with it.


def _vhost_in(one: Job) -> MakeXml:
    _allow(one, one.qemu_user)
    return _socket(one, one.handle['socket'])


def _socket(one: Job, path: str) -> MakeXml:
    """The disk of a socket, if somebody answers there.

    QEMU would wait for the answer without an end, and its guest with it.
    """
    # Those of a target that is started anew are so at once then; where that
    # is not possible, each round looks after them.
    attach_vhost.born_for(os.path.dirname(path), one.qemu_user,
                          (one.conf.spdk.run_path,))
    try:
        there = vhost_user_blk.answers(path, _PATIENCE)
    except OSError as exc:
        raise exceptions.HypervisorError(
            f'{path}: {exc.strerror or exc}; see that the target runs and '
            'that this service may connect to its sockets') from None
    if not there:
        raise exceptions.SilentTarget(
            f'{path}: nobody answers there, so that it is not plugged: QEMU '
            'would hang; restart the target')
    return lambda device: domain_xml.vhost_user(path, device, one.provider)


def _local_vhost(one: Job) -> rpc.Client:
    """The client of this host's vhost target.

    :raises HypervisorError: if there is none.
    """
    for target in spdk_conf.targets(one.conf, 'vhost'):
        if process.socket_path(target):
            return rpc.connect(target.rpc_address,
                               timeout=one.conf.spdk.connect_timeout)
    raise exceptions.HypervisorError(
        f'{one.handle["nqn"]}: this host has no vhost target to reach it '
        'by; name one in [spdk] vhost_targets')


def _nvmf_in(one: Job) -> MakeXml:
    nqn, nsid = one.handle['nqn'], one.handle['nsid']
    vhost = clients.VhostTgt(_local_vhost(one))
    _allow(one, one.host_nqn)
    bdev = f'{one.bridge}n{nsid}'
    if vhost.find_bdev(bdev) is None:
        # A path that is lost is waited for without an end (v21.10); by
        # default SPDK tries again without a pause.
        address = _tcp_listener(one, nqn)
        made = vhost.bdev_nvme_attach_controller(
            one.bridge, 'TCP',
            _EVERYWHERE.get(address.traddr, address.traddr),
            trsvcid=address.trsvcid, subnqn=nqn, hostnqn=one.host_nqn,
            exist_ok=True, ctrlr_loss_timeout_sec=-1,
            reconnect_delay_sec=2, fast_io_fail_timeout_sec=0)
        if bdev not in made:
            raise exceptions.HypervisorError(
                f'{nqn}: the vhost target makes no disk of it, since it has '
                'one of the same UUID: where one spdk_tgt serves both, '
                'export the unit as vhost-blk')
    found = vhost.find_controller(one.bridge)
    if found is None:
        vhost.vhost_create_blk_controller(one.bridge, bdev)
        found = vhost.vhost_get_controllers(one.bridge)[0]
    if not found.socket:
        raise exceptions.HypervisorError(
            f'{one.bridge}: this release does not tell the socket of a '
            'controller; SPDK v18.07 and later do')
    attach_vhost.allow(vhost.rpc, {'socket': found.socket},
                       one.qemu_user,
                       ours=(one.conf.spdk.run_path,))
    return _socket(one, found.socket)


def _tcp_listener(one: Job, nqn: str) -> 'clients.types.ListenAddress':
    for address in listeners.plain(clients.NvmfTgt(one.client), nqn):
        if address.trtype.upper() == 'TCP':
            return address
    raise exceptions.HypervisorError(
        f'{nqn}: it has no TCP listener without TLS that this host could '
        'reach it by; add one on 127.0.0.1')


def _bridge_out(one: Job) -> None:
    vhost = clients.VhostTgt(_local_vhost(one))
    found = vhost.find_controller(one.bridge)
    if found is not None:
        if holders.sessions(found):
            # Deleting it now would never answer.
            raise exceptions.Busy(
                -16, 'Device or resource busy', 'vhost_delete_controller',
                {'ctrlr': one.bridge},
                f'{one.bridge}: a guest is connected to it still')
        vhost.vhost_delete_controller(one.bridge, missing_ok=True)
    vhost.bdev_nvme_detach_controller(one.bridge, missing_ok=True)


def _iscsi_in(one: Job) -> MakeXml:
    reach = _allow(one, one.initiator).reach
    if not reach:
        raise exceptions.HypervisorError(
            f'{one.handle["iqn"]}: no portal leads to it; map one')
    host, _, port = reach[0].rpartition(':')
    host = host.strip('[]')
    return lambda device: domain_xml.iscsi(
        one.handle['iqn'], one.handle['lun'],
        (_EVERYWHERE.get(host, host), port), one.initiator, device,
        one.provider)
