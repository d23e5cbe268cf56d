# SPDX-License-Identifier: Apache-2.0

"""Index of what can be done with the block devices of any application."""

from cyborg_spdk.clients import application
from cyborg_spdk.clients import base
from cyborg_spdk.clients.bdev import aio
from cyborg_spdk.clients.bdev import bdevs
from cyborg_spdk.clients.bdev import crypto
from cyborg_spdk.clients.bdev import crypto_key
from cyborg_spdk.clients.bdev import delay
from cyborg_spdk.clients.bdev import deletion
from cyborg_spdk.clients.bdev import error
from cyborg_spdk.clients.bdev import iostat
from cyborg_spdk.clients.bdev import lvol
from cyborg_spdk.clients.bdev import lvol_copy
from cyborg_spdk.clients.bdev import lvol_family
from cyborg_spdk.clients.bdev import lvol_parent
from cyborg_spdk.clients.bdev import lvstore
from cyborg_spdk.clients.bdev import malloc
from cyborg_spdk.clients.bdev import null
from cyborg_spdk.clients.bdev import nvme_attach
from cyborg_spdk.clients.bdev import nvme_bdev
from cyborg_spdk.clients.bdev import nvme_controller
from cyborg_spdk.clients.bdev import passthru
from cyborg_spdk.clients.bdev import qos
from cyborg_spdk.clients.bdev import raid
from cyborg_spdk.clients.bdev import resizing
from cyborg_spdk.clients.bdev import split
from cyborg_spdk.clients import keyring
from cyborg_spdk.clients import pyspdk


class BdevClient(base.Client):
    """Client for the block devices of any SPDK application.

    Each line binds an operation's name to the function of a client that
    does it, in the module of the SPDK object that it is about.
    """

    # The application
    rpc_get_methods = application.get_methods
    spdk_get_version = application.get_version
    spdk_kill_instance = application.kill_instance

    # Bdevs of any kind
    bdev_get_bdevs = bdevs.get
    find_bdev = bdevs.find
    bdev_delete = deletion.delete
    bdev_resize = resizing.resize
    bdev_get_iostat = iostat.get
    bdev_set_qos_limit = qos.set_limit

    # Bdevs by kind
    bdev_malloc_create = malloc.create
    bdev_null_create = null.create
    bdev_null_resize = null.resize
    bdev_aio_create = aio.create
    bdev_aio_rescan = aio.rescan
    bdev_error_create = error.create
    bdev_error_inject_error = error.inject_error
    bdev_passthru_create = passthru.create
    bdev_delay_create = delay.create
    bdev_delay_update_latency = delay.update_latency
    bdev_split_create = split.create
    bdev_split_delete = split.delete
    bdev_crypto_create = crypto.create

    # RAID
    bdev_raid_get_bdevs = raid.get
    bdev_raid_create = raid.create
    bdev_raid_delete = raid.delete
    bdev_raid_add_base_bdev = raid.add_base_bdev
    bdev_raid_remove_base_bdev = raid.remove_base_bdev

    # Stores of logical volumes
    bdev_lvol_get_lvstores = lvstore.get
    find_lvstore = lvstore.find
    bdev_lvol_create_lvstore = lvstore.create
    bdev_lvol_delete_lvstore = lvstore.delete
    bdev_lvol_rename_lvstore = lvstore.rename
    bdev_lvol_grow_lvstore = lvstore.grow

    # Logical volumes
    bdev_lvol_get_lvols = lvol.get
    bdev_lvol_create = lvol.create
    bdev_lvol_delete = lvol.delete
    bdev_lvol_resize = lvol.resize
    bdev_lvol_rename = lvol.rename
    bdev_lvol_set_read_only = lvol.set_read_only
    bdev_lvol_snapshot = lvol_family.snapshot
    bdev_lvol_clone = lvol_family.clone
    bdev_lvol_clone_bdev = lvol_family.clone_bdev
    bdev_lvol_inflate = lvol_family.inflate
    bdev_lvol_decouple_parent = lvol_family.decouple_parent
    bdev_lvol_set_parent = lvol_parent.set_parent
    bdev_lvol_set_parent_bdev = lvol_parent.set_parent_bdev
    bdev_lvol_start_shallow_copy = lvol_copy.start
    bdev_lvol_check_shallow_copy = lvol_copy.check

    # NVMe
    bdev_nvme_get_controllers = nvme_controller.get
    bdev_nvme_attach_controller = nvme_attach.attach
    bdev_nvme_detach_controller = nvme_controller.detach
    bdev_nvme_reset_controller = nvme_controller.reset
    bdev_nvme_enable_controller = nvme_controller.enable
    bdev_nvme_disable_controller = nvme_controller.disable
    bdev_nvme_get_controller_health_info = nvme_controller.get_health_info
    bdev_nvme_get_io_paths = nvme_bdev.get_io_paths
    bdev_nvme_set_preferred_path = nvme_bdev.set_preferred_path
    bdev_nvme_set_multipath_policy = nvme_bdev.set_multipath_policy

    # Keys
    accel_crypto_key_create = crypto_key.create
    accel_crypto_key_destroy = crypto_key.destroy
    accel_crypto_keys_get = crypto_key.get_names
    keyring_get_keys = keyring.get_keys
    keyring_file_add_key = keyring.file_add_key
    keyring_file_remove_key = keyring.file_remove_key

    # Names and arguments of py-spdk
    get_rpc_methods = pyspdk.get_rpc_methods
    get_bdevs = pyspdk.get_bdevs
    delete_bdev = pyspdk.delete_bdev
    kill_instance = pyspdk.kill_instance
    construct_aio_bdev = pyspdk.construct_aio_bdev
    construct_error_bdev = pyspdk.construct_error_bdev
    construct_nvme_bdev = pyspdk.construct_nvme_bdev
    construct_null_bdev = pyspdk.construct_null_bdev
    construct_malloc_bdev = pyspdk.construct_malloc_bdev
