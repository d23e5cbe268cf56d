# SPDX-License-Identifier: Apache-2.0

"""The operations of py-spdk (2018) under their own names and arguments.

What they return is what they returned then: the JSON of the target, and
for a create now the name. Sizes given as bare numbers are in MiB, as they
were. They work on every release: what SPDK removed is done with what it
has instead.

py-spdk announced a client for iSCSI and never had one; its names are those
that the RPCs had then (v18.x), the arguments those of SPDK's own
``rpc.py``. ``construct_nvmf_subsystem`` is not among these: it has kept its
name.
"""

from collections.abc import Iterable
from typing import Any

from cyborg_spdk.clients import application
from cyborg_spdk.clients import base
from cyborg_spdk.clients.bdev import aio
from cyborg_spdk.clients.bdev import bdevs
from cyborg_spdk.clients.bdev import deletion
from cyborg_spdk.clients.bdev import error
from cyborg_spdk.clients.bdev import malloc
from cyborg_spdk.clients.bdev import null
from cyborg_spdk.clients.bdev import nvme_attach
from cyborg_spdk.clients.iscsi import initiator_groups
from cyborg_spdk.clients.iscsi import luns as iscsi_luns
from cyborg_spdk.clients.iscsi import portal_groups
from cyborg_spdk.clients.iscsi import sessions
from cyborg_spdk.clients.iscsi import target_nodes
from cyborg_spdk.clients.iscsi import values
from cyborg_spdk.clients.nvmf import calls as nvmf_calls
from cyborg_spdk.clients.nvmf import subsystems
from cyborg_spdk.clients import types
from cyborg_spdk.clients.types import reported
from cyborg_spdk.clients.vhost import controllers

# Any application


def get_rpc_methods(client: base.Caller) -> list[str]:
    """Names of the methods that the target has (list of str)."""
    return list(base.call(client, 'rpc_get_methods'))


def get_bdevs(client: base.Caller) -> list[reported.Json]:
    """The block devices, as JSON (list of dict)."""
    return [bdev.raw for bdev in bdevs.get(client)]


def delete_bdev(client: base.Caller, name: str) -> bool:
    """Delete a block device of any kind; see ``bdev_delete``."""
    return deletion.delete(client, name)


def kill_instance(client: base.Caller, sig_name: str) -> bool:
    """Make the target end; see ``spdk_kill_instance``."""
    return application.kill_instance(client, sig_name)


def construct_aio_bdev(client: base.Caller, filename: str, name: str,
                       block_size: int | str) -> str:
    """See ``bdev_aio_create``.

    :param block_size: bytes; a string of digits will do.
    :returns: the name.
    """
    return aio.create(client, filename, name, int(block_size))


def construct_error_bdev(client: base.Caller, basename: str) -> str:
    """See ``bdev_error_create``; returns the name."""
    return error.create(client, basename)


def construct_nvme_bdev(client: base.Caller, name: str, trtype: str,
                        traddr: str, adrfam: str | None = None,
                        trsvcid: int | str | None = None,
                        subnqn: str | None = None) -> list[str]:
    """See ``bdev_nvme_attach_controller``.

    :returns: names of the new bdevs (list of str).
    """
    return nvme_attach.attach(client, name, trtype, traddr, adrfam=adrfam,
                              trsvcid=trsvcid, subnqn=subnqn)


def construct_null_bdev(client: base.Caller, name: str,
                        total_size: float | str,
                        block_size: int | str) -> str:
    """See ``bdev_null_create``.

    :param total_size: MiB, or a string with a unit.
    :returns: the name.
    """
    return null.create(client, name, _size(total_size), int(block_size))


def construct_malloc_bdev(client: base.Caller, total_size: float | str,
                          block_size: int | str) -> str:
    """See ``bdev_malloc_create``; the target chooses the name.

    :param total_size: MiB, or a string with a unit.
    :returns: the name.
    """
    return malloc.create(client, None, _size(total_size), int(block_size))


def _size(total_size: float | str) -> int | str:
    """A bare number of MiB in bytes; a string with a unit as it is."""
    if isinstance(total_size, str) and not total_size.strip().isdigit():
        return total_size
    if isinstance(total_size, float):
        return int(total_size * (1 << 20))
    return int(total_size) << 20


# NVMe-oF


def get_nvmf_subsystems(client: nvmf_calls.Caller) -> list[reported.Json]:
    """The subsystems, as JSON (list of dict)."""
    return [subsystem.raw for subsystem in subsystems.get(client)]


def delete_nvmf_subsystem(client: nvmf_calls.Caller, nqn: str) -> bool:
    """See ``nvmf_delete_subsystem``."""
    return subsystems.delete(client, nqn)


# Network interfaces: SPDK had RPCs for them until v21.04


def get_interfaces(client: base.Caller) -> list[reported.Json]:
    """Network interfaces of the target's host, as JSON.

    :returns: list of dict: ``name``, ``ifc_index``, ``ip_addr``.
    :raises MethodNotFound: SPDK v21.07 removed it; the operating system
        tells (``ip addr``).
    """
    interfaces: list[reported.Json] = base.call(client, 'net_get_interfaces')
    return interfaces


def add_ip_address(client: base.Caller, ifc_index: int | str,
                   ip_addr: str) -> bool:
    """Give a network interface an address.

    :param ifc_index: number of the interface.
    :param ip_addr: the address.
    :raises MethodNotFound: see :func:`get_interfaces`.
    """
    return base.act(
        client, 'net_interface_add_ip_address', ifc_index=int(ifc_index),
        ip_address=ip_addr,
        _about=f'address {ip_addr!r} on interface {ifc_index}')


def delete_ip_address(client: base.Caller, ifc_index: int | str,
                      ip_addr: str) -> bool:
    """Take an address away from a network interface.

    :param ifc_index: number of the interface.
    :param ip_addr: the address.
    :raises MethodNotFound: see :func:`get_interfaces`.
    """
    return base.act(
        client, 'net_interface_delete_ip_address', ifc_index=int(ifc_index),
        ip_address=ip_addr,
        _about=f'address {ip_addr!r} on interface {ifc_index}')


# SCSI: vhost and iSCSI


def get_scsi_devices(client: base.Caller) -> list[reported.Json]:
    """The SCSI devices, as JSON (list of dict)."""
    devices: list[reported.Json] = base.call(client, 'scsi_get_devices')
    return devices


def get_luns_of_vhost(client: base.Caller) -> list[reported.Json]:
    """The LUNs, as SPDK told them until v17.10.

    Later releases have no such call. What it told is gathered from the SCSI
    controllers: a LUN bears the name of its bdev.

    :returns: list of dict: ``name``, ``claimed`` (always True here: a LUN
        is there because a SCSI target has it).
    """
    return _luns(lun.bdev_name for controller in controllers.get(client)
                 for target in controller.scsi_targets
                 for lun in target.luns)


def get_luns_of_iscsi(client: base.Caller) -> list[reported.Json]:
    """The LUNs, as SPDK told them until v17.10.

    Later releases have no such call: they are gathered from the target
    nodes.

    :returns: list of dict: ``name`` (of the bdev), ``claimed``.
    """
    return _luns(lun.bdev_name for node in target_nodes.get(client)
                 for lun in node.luns)


def _luns(names: Iterable[str]) -> list[reported.Json]:
    return [{'claimed': True, 'name': name} for name in dict.fromkeys(names)]


# vhost


def get_vhost_blk_controllers(client: base.Caller) -> list[reported.Json]:
    """The block controllers, in the form of v17.07, as JSON."""
    return [{'ctrlr': controller.ctrlr, 'cpumask': controller.cpumask,
             'readonly': controller.readonly, 'dev_name': controller.bdev}
            for controller in controllers.get(client)
            if controller.kind == 'blk']


def get_vhost_scsi_controllers(client: base.Caller) -> list[reported.Json]:
    """The SCSI controllers, in the form of v17.07, as JSON."""
    return [{'ctrlr': controller.ctrlr, 'cpumask': controller.cpumask,
             'scsi_devs': [_scsi_dev(target)
                           for target in controller.scsi_targets]}
            for controller in controllers.get(client)
            if controller.kind == 'scsi']


def _scsi_dev(target: types.ScsiTarget) -> reported.Json:
    return {'scsi_dev_num': target.scsi_dev_num, 'id': target.id,
            'device_name': target.target_name,
            'luns': [{'id': lun.id, 'lun_name': lun.bdev_name}
                     for lun in target.luns]}


# iSCSI


def get_portal_groups(client: base.Caller) -> list[reported.Json]:
    """The portal groups, as JSON (list of dict)."""
    return [group.raw for group in portal_groups.get(client)]


def add_portal_group(client: base.Caller,
                     portal_list: Iterable[values.Portal],
                     tag: int | str) -> int:
    """See ``iscsi_create_portal_group``."""
    return portal_groups.create(client, int(tag), portal_list)


def delete_portal_group(client: base.Caller, tag: int | str) -> bool:
    """See ``iscsi_delete_portal_group``."""
    return portal_groups.delete(client, int(tag))


def get_initiator_groups(client: base.Caller) -> list[reported.Json]:
    """The initiator groups, as JSON (list of dict)."""
    return [group.raw for group in initiator_groups.get(client)]


def add_initiator_group(client: base.Caller, tag: int | str,
                        initiator_list: Iterable[str],
                        netmask_list: Iterable[str]) -> int:
    """See ``iscsi_create_initiator_group``."""
    return initiator_groups.create(client, int(tag), initiator_list,
                                   netmask_list)


def delete_initiator_group(client: base.Caller, tag: int | str) -> bool:
    """See ``iscsi_delete_initiator_group``."""
    return initiator_groups.delete(client, int(tag))


def get_target_nodes(client: base.Caller) -> list[reported.Json]:
    """The target nodes, as JSON (list of dict)."""
    return [node.raw for node in target_nodes.get(client)]


def construct_target_node(client: base.Caller, name: str,
                          alias_name: str | None, luns: values.Luns,
                          pg_ig_maps: values.Maps, queue_depth: int | str,
                          **chap: Any) -> str:
    """See ``iscsi_create_target_node``."""
    return target_nodes.create(client, name, luns, pg_ig_maps,
                               alias_name=alias_name,
                               queue_depth=int(queue_depth), **chap)


def target_node_add_lun(client: base.Caller, name: str, bdev_name: str,
                        lun_id: int | None = None) -> int:
    """See ``iscsi_target_node_add_lun``."""
    return iscsi_luns.add(client, name, bdev_name, lun_id=lun_id)


def delete_target_node(client: base.Caller, name: str) -> bool:
    """See ``iscsi_delete_target_node``."""
    return target_nodes.delete(client, name)


def get_iscsi_connections(client: base.Caller) -> list[reported.Json]:
    """The connections, as JSON (list of dict)."""
    return [connection.raw for connection in sessions.get_connections(client)]
