# SPDX-License-Identifier: Apache-2.0

"""The operations of py-spdk (2018) under their own names and arguments.

What they return is what they returned then: the JSON of the target, and
for a create now the name. Sizes given as bare numbers are in MiB, as they
were. They work on every release: what SPDK removed is done with what it
has instead.
"""


def _megabytes(total_size):
    """A bare number of MiB as a size; a string with a unit as it is."""
    if isinstance(total_size, str) and not total_size.strip().isdigit():
        return total_size
    if isinstance(total_size, float):
        return int(total_size * (1 << 20))
    return int(total_size) << 20


class HistoricBdev:
    """Historic names of :class:`~cyborg_spdk.clients.BdevClient`."""

    def get_rpc_methods(self):
        """Names of the methods that the target has (list of str)."""
        return self._call('rpc_get_methods')

    def get_bdevs(self):
        """The block devices, as JSON (list of dict)."""
        return [one.raw for one in self.bdev_get_bdevs()]

    def delete_bdev(self, name):
        """Delete a block device of any kind; see :meth:`bdev_delete`."""
        return self.bdev_delete(name)

    def kill_instance(self, sig_name):
        """Make the target end; see :meth:`spdk_kill_instance`."""
        return self.spdk_kill_instance(sig_name)

    def construct_aio_bdev(self, filename, name, block_size):
        """See :meth:`bdev_aio_create`.

        :param block_size: bytes; a string of digits will do.
        :returns: the name.
        """
        return self.bdev_aio_create(filename, name, int(block_size))

    def construct_error_bdev(self, basename):
        """See :meth:`bdev_error_create`; returns the name."""
        return self.bdev_error_create(basename)

    def construct_nvme_bdev(self, name, trtype, traddr, adrfam=None,
                            trsvcid=None, subnqn=None):
        """See :meth:`bdev_nvme_attach_controller`.

        :returns: names of the new bdevs (list of str).
        """
        return self.bdev_nvme_attach_controller(
            name, trtype, traddr, adrfam=adrfam, trsvcid=trsvcid,
            subnqn=subnqn)

    def construct_null_bdev(self, name, total_size, block_size):
        """See :meth:`bdev_null_create`.

        :param total_size: MiB, or a string with a unit.
        :returns: the name.
        """
        return self.bdev_null_create(name, _megabytes(total_size),
                                     int(block_size))

    def construct_malloc_bdev(self, total_size, block_size):
        """See :meth:`bdev_malloc_create`; the target chooses the name.

        :param total_size: MiB, or a string with a unit.
        :returns: the name.
        """
        return self.bdev_malloc_create(None, _megabytes(total_size),
                                       int(block_size))


class HistoricNvmf:
    """Historic names of :class:`~cyborg_spdk.clients.nvmf.client.NvmfTgt`.

    ``construct_nvmf_subsystem`` is not among them: it has kept its name.
    """

    def get_nvmf_subsystems(self):
        """The subsystems, as JSON (list of dict)."""
        return [one.raw for one in self.nvmf_get_subsystems()]

    def delete_nvmf_subsystem(self, nqn):
        """See :meth:`nvmf_delete_subsystem`."""
        return self.nvmf_delete_subsystem(nqn)


class HistoricNet:
    """Network interfaces: SPDK had RPCs for them until v21.04."""

    def get_interfaces(self):
        """Network interfaces of the target's host, as JSON.

        :returns: list of dict: ``name``, ``ifc_index``, ``ip_addr``.
        :raises MethodNotFound: SPDK v21.07 removed it; the operating
            system tells (``ip addr``).
        """
        return self._call('net_get_interfaces')

    def add_ip_address(self, ifc_index, ip_addr):
        """Give a network interface an address.

        :param ifc_index: number of the interface.
        :param ip_addr: the address.
        :raises MethodNotFound: see :meth:`get_interfaces`.
        """
        return self._call(
            'net_interface_add_ip_address', ifc_index=int(ifc_index),
            ip_address=ip_addr,
            _about=f'address {ip_addr!r} on interface {ifc_index}')

    def delete_ip_address(self, ifc_index, ip_addr):
        """Take an address away from a network interface.

        :param ifc_index: number of the interface.
        :param ip_addr: the address.
        :raises MethodNotFound: see :meth:`get_interfaces`.
        """
        return self._call(
            'net_interface_delete_ip_address', ifc_index=int(ifc_index),
            ip_address=ip_addr,
            _about=f'address {ip_addr!r} on interface {ifc_index}')


class HistoricVhost(HistoricNet):
    """Historic names of :class:`~cyborg_spdk.clients.vhost.VhostTgt`."""

    def get_scsi_devices(self):
        """The SCSI devices, as JSON (list of dict)."""
        return self._call('scsi_get_devices')

    def get_luns(self):
        """The LUNs, as SPDK told them until v17.10.

        Later releases have no such call. What it told is gathered from
        the SCSI controllers: a LUN bears the name of its bdev.

        :returns: list of dict: ``name``, ``claimed`` (always True here:
            a LUN is there because a SCSI target has it).
        """
        names = []
        for controller in self.vhost_get_controllers():
            for target in controller.scsi_targets:
                names += [one.bdev_name for one in target.luns]
        return [{'claimed': True, 'name': name}
                for name in dict.fromkeys(names)]

    def get_vhost_blk_controllers(self):
        """The block controllers, in the form of v17.07, as JSON."""
        return [{'ctrlr': one.ctrlr, 'cpumask': one.cpumask,
                 'readonly': one.readonly, 'dev_name': one.bdev}
                for one in self.vhost_get_controllers() if one.kind == 'blk']

    def get_vhost_scsi_controllers(self):
        """The SCSI controllers, in the form of v17.07, as JSON."""
        return [{'ctrlr': one.ctrlr, 'cpumask': one.cpumask,
                 'scsi_devs': [_scsi_dev(dev) for dev in one.scsi_targets]}
                for one in self.vhost_get_controllers() if one.kind == 'scsi']


def _scsi_dev(target):
    return {'scsi_dev_num': target.scsi_dev_num, 'id': target.id,
            'device_name': target.target_name,
            'luns': [{'id': lun.id, 'lun_name': lun.bdev_name}
                     for lun in target.luns]}


class HistoricIscsi(HistoricNet):
    """Names that the RPCs of iSCSI had in py-spdk's day (v18.x).

    py-spdk announced a client for them and never had one; the arguments
    are those of SPDK's own ``rpc.py`` then.
    """

    def get_scsi_devices(self):
        """The SCSI devices, as JSON (list of dict)."""
        return self._call('scsi_get_devices')

    def get_luns(self):
        """The LUNs, as SPDK told them until v17.10.

        Later releases have no such call: they are gathered from the
        target nodes.

        :returns: list of dict: ``name`` (of the bdev), ``claimed``.
        """
        names = [lun.bdev_name for node in self.iscsi_get_target_nodes()
                 for lun in node.luns]
        return [{'claimed': True, 'name': name}
                for name in dict.fromkeys(names)]

    def get_portal_groups(self):
        """The portal groups, as JSON (list of dict)."""
        return [one.raw for one in self.iscsi_get_portal_groups()]

    def add_portal_group(self, portal_list, tag):
        """See :meth:`iscsi_create_portal_group`."""
        return self.iscsi_create_portal_group(int(tag), portal_list)

    def delete_portal_group(self, tag):
        """See :meth:`iscsi_delete_portal_group`."""
        return self.iscsi_delete_portal_group(int(tag))

    def get_initiator_groups(self):
        """The initiator groups, as JSON (list of dict)."""
        return [one.raw for one in self.iscsi_get_initiator_groups()]

    def add_initiator_group(self, tag, initiator_list, netmask_list):
        """See :meth:`iscsi_create_initiator_group`."""
        return self.iscsi_create_initiator_group(int(tag), initiator_list,
                                                 netmask_list)

    def delete_initiator_group(self, tag):
        """See :meth:`iscsi_delete_initiator_group`."""
        return self.iscsi_delete_initiator_group(int(tag))

    def get_target_nodes(self):
        """The target nodes, as JSON (list of dict)."""
        return [one.raw for one in self.iscsi_get_target_nodes()]

    def construct_target_node(self, name, alias_name, luns, pg_ig_maps,
                              queue_depth, **chap):
        """See :meth:`iscsi_create_target_node`."""
        return self.iscsi_create_target_node(
            name, luns, pg_ig_maps, alias_name=alias_name,
            queue_depth=int(queue_depth), **chap)

    def target_node_add_lun(self, name, bdev_name, lun_id=None):
        """See :meth:`iscsi_target_node_add_lun`."""
        return self.iscsi_target_node_add_lun(name, bdev_name, lun_id=lun_id)

    def delete_target_node(self, name):
        """See :meth:`iscsi_delete_target_node`."""
        return self.iscsi_delete_target_node(name)

    def get_iscsi_connections(self):
        """The connections, as JSON (list of dict)."""
        return [one.raw for one in self.iscsi_get_connections()]
