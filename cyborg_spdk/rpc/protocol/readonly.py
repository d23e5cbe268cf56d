# SPDX-License-Identifier: Apache-2.0

"""Methods that change nothing: those that may be sent a second time.

A call that was written and not answered before its connection was lost may
have been executed. These are repeated then, once; any other is not. The list
holds the names of all releases. Those that wait (for the framework, for the
examination of bdevs) change nothing either.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

READ_ONLY = frozenset({
    "accel_crypto_keys_get",
    "accel_get_engine_info",
    "accel_get_module_info",
    "accel_get_opc_assignments",
    "accel_get_stats",
    "accel_mlx5_dump_stats",
    "bdev_compress_get_orphans",
    "bdev_ftl_get_properties",
    "bdev_ftl_get_stats",
    "bdev_get_bdevs",
    "bdev_get_histogram",
    "bdev_get_histogram_borders",
    "bdev_get_iostat",
    "bdev_lvol_check_shallow_copy",
    "bdev_lvol_get_lvols",
    "bdev_lvol_get_lvstores",
    "bdev_nvme_get_controller_health_info",
    "bdev_nvme_get_controllers",
    "bdev_nvme_get_discovery_info",
    "bdev_nvme_get_io_paths",
    "bdev_nvme_get_mdns_discovery_info",
    "bdev_nvme_get_path_iostat",
    "bdev_nvme_get_transport_statistics",
    "bdev_ocf_get_bdevs",
    "bdev_ocf_get_stats",
    "bdev_opal_get_info",
    "bdev_pmem_get_pool_info",
    "bdev_raid_get_bdevs",
    "bdev_rbd_get_clusters_info",
    "bdev_virtio_scsi_get_devices",
    "bdev_wait_for_examine",
    "dpdk_cryptodev_get_driver",
    "env_dpdk_get_mem_stats",
    "framework_get_config",
    "framework_get_governor",
    "framework_get_pci_devices",
    "framework_get_reactors",
    "framework_get_scheduler",
    "framework_get_subsystems",
    "framework_wait_init",
    "fsdev_get_opts",
    "get_bdev_histogram",
    "get_bdevs",
    "get_bdevs_config",
    "get_bdevs_iostat",
    "get_initiator_groups",
    "get_interfaces",
    "get_iscsi_auth_groups",
    "get_iscsi_connections",
    "get_iscsi_global_params",
    "get_log_flags",
    "get_log_level",
    "get_log_print_level",
    "get_luns",
    "get_lvol_stores",
    "get_nbd_disks",
    "get_notification_types",
    "get_notifications",
    "get_nvme_controllers",
    "get_nvmf_subsystems",
    "get_nvmf_transports",
    "get_ocf_bdevs",
    "get_ocf_stats",
    "get_portal_groups",
    "get_raid_bdevs",
    "get_rpc_methods",
    "get_scsi_devices",
    "get_spdk_version",
    "get_subsystem_config",
    "get_subsystems",
    "get_target_nodes",
    "get_tpoint_group_mask",
    "get_trace_flags",
    "get_vhost_blk_controllers",
    "get_vhost_controllers",
    "get_vhost_scsi_controllers",
    "get_virtio_scsi_devs",
    "iobuf_get_stats",
    "iscsi_get_auth_groups",
    "iscsi_get_connections",
    "iscsi_get_histogram",
    "iscsi_get_initiator_groups",
    "iscsi_get_options",
    "iscsi_get_portal_groups",
    "iscsi_get_stats",
    "iscsi_get_target_nodes",
    "keyring_get_keys",
    "log_get_flags",
    "log_get_level",
    "log_get_print_level",
    "nbd_get_disks",
    "net_get_interfaces",
    "notify_get_notifications",
    "notify_get_types",
    "nvmf_discovery_get_referrals",
    "nvmf_get_stats",
    "nvmf_get_subsystems",
    "nvmf_get_targets",
    "nvmf_get_transports",
    "nvmf_subsystem_get_controllers",
    "nvmf_subsystem_get_listeners",
    "nvmf_subsystem_get_qpairs",
    "pmem_pool_info",
    "rpc_get_methods",
    "scsi_get_devices",
    "sock_get_default_impl",
    "sock_impl_get_options",
    "spdk_get_version",
    "thread_get_io_channels",
    "thread_get_pollers",
    "thread_get_stats",
    "trace_get_info",
    "trace_get_tpoint_group_mask",
    "ublk_get_disks",
    "vhost_get_controllers",
    "virtio_blk_get_transports",
    "wait_subsystem_init",
})

#: With one of these parameters a method that reads also changes something
#: (bdev_get_iostat: reset_mode).
CHANGING_PARAMS = frozenset({"reset_mode"})


def is_read_only(method: str, params: Any) -> bool:
    """Whether a call may be sent twice.

    :param method: its name, in any release.
    :param params: its parameters, or None.
    """
    return method in READ_ONLY and (
        not params or CHANGING_PARAMS.isdisjoint(params))


#: Reads that are answered at once and in a few hundred bytes.
_SMALL = frozenset({"spdk_get_version", "framework_get_scheduler",
                    "log_get_level", "log_get_print_level",
                    "bdev_get_histogram_borders"})
#: Parameters that name the one object to read.
_ONE_OBJECT = frozenset({"name", "nqn", "ctrlr", "lvs_name"})


def is_quick(method: str, params: Any) -> bool:
    """Whether a call may share a JSON-RPC batch.

    A batch is answered when its last call is, and its reply is cut at the
    same size as any other. So only calls that read one small thing, and
    wait for nothing, go into one.

    :param method: its name.
    :param params: its parameters, or None.
    """
    if method in _SMALL:
        return True
    return (isinstance(params, dict) and not _ONE_OBJECT.isdisjoint(params)
            and "timeout" not in params and "wait" not in method
            and is_read_only(method, params))
