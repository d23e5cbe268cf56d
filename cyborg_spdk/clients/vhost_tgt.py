# SPDX-License-Identifier: Apache-2.0

"""Index of what can be done with a vhost target."""

from cyborg_spdk.clients import bdev_client
from cyborg_spdk.clients import pyspdk
from cyborg_spdk.clients import scsi
from cyborg_spdk.clients.vhost import blk_transports
from cyborg_spdk.clients.vhost import controllers
from cyborg_spdk.clients.vhost import scsi_targets


class VhostTgt(bdev_client.BdevClient):
    """Client for ``vhost``, or any SPDK application that has vhost.

    Each line binds an operation's name to the function of a client that
    does it, in the module of the SPDK object that it is about.
    """

    # Controllers
    vhost_get_controllers = controllers.get
    find_controller = controllers.find
    vhost_create_blk_controller = controllers.create_blk
    vhost_create_scsi_controller = controllers.create_scsi
    vhost_start_scsi_controller = controllers.start_scsi
    vhost_delete_controller = controllers.delete
    vhost_controller_set_coalescing = controllers.set_coalescing

    # SCSI
    vhost_scsi_controller_add_target = scsi_targets.add
    vhost_scsi_controller_remove_target = scsi_targets.remove
    scsi_get_devices = scsi.get_devices

    # Transports of block controllers
    virtio_blk_get_transports = blk_transports.get
    virtio_blk_create_transport = blk_transports.create

    # Names and arguments of py-spdk
    get_scsi_devices = pyspdk.get_scsi_devices
    get_luns = pyspdk.get_luns_of_vhost
    get_vhost_blk_controllers = pyspdk.get_vhost_blk_controllers
    get_vhost_scsi_controllers = pyspdk.get_vhost_scsi_controllers
    get_interfaces = pyspdk.get_interfaces
    add_ip_address = pyspdk.add_ip_address
    delete_ip_address = pyspdk.delete_ip_address
