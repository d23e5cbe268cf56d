# SPDX-License-Identifier: Apache-2.0
"""What is read from SPDK's source by eye.

Each is a fact that the code says in a way of its own, with the place where
it says so. All else is read by the other modules.
"""

from typing import Any

#: The release that is not tagged yet: the newest commit of SPDK's master
#: branch when it was read (2026-08-21), and what the package ``spdk`` 26.9
#: of PyPI (its ``spdk/cli``) does otherwise.
NEXT = 'v26.09'
NEXT_COMMIT = '3230130e6a'

#: Methods that the package has and that commit has not, as ``bdev.py`` of
#: its ``spdk/cli`` gives their arguments; None for one that it has not.
NEXT_METHODS: dict[str, dict[str, Any] | None] = {
    'bdev_kvmalloc_create': {
        'state': 'runtime',
        'fields': [['name', 'string', True], ['uuid', 'uuid', True],
                   ['max_key_size', 'uint32', True],
                   ['max_value_size', 'uint32', True],
                   ['optimal_value_granularity', 'uint32', True],
                   ['numa_id', 'int32', True]],
        'absent_ok': True,
        'error': [-32603, 'spdk_json_decode_object failed']},
    'bdev_kvmalloc_delete': {
        'state': 'runtime', 'fields': [['name', 'string', False]],
        'error': [-32603, 'spdk_json_decode_object failed']},
    'bdev_nvme_set_multipath_policy': None,
}
#: Parameters that are deprecated in that commit and gone in the package
#: (``nvmf.py`` of its ``spdk/cli``): method or decoder -> names.
NEXT_DROPPED = {
    'nvmf_create_transport': ('io_unit_size', 'num_shared_buffers',
                              'buf_cache_size'),
    'rpc_decode_nvmf_namespace': ('hide_metadata',),
}

#: Tables by which a method's parameters are read once more, by what it calls
#: through a pointer: a transport or a scheduler.
EXTRA_TABLES = {
    # spdk_nvmf_transport_ops.create of lib/nvmf/{rdma,tcp,vfio_user}.c
    'nvmf_create_transport': (
        'rdma_transport_opts_decoder', 'tcp_transport_opts_decoder',
        'vfio_user_transport_opts_decoder'),
    # spdk_nvmf_transport_ops.listen of lib/nvmf/vfio_user.c
    'nvmf_subsystem_add_listener': ('vfio_user_listen_opts_decoder',),
    # spdk_nvmf_transport_ops.subsystem_add_host of lib/nvmf/tcp.c
    'nvmf_subsystem_add_host': ('tcp_subsystem_add_host_opts_decoder',),
    # spdk_scheduler.set_opts of module/scheduler/dynamic and lib/event
    'framework_set_scheduler': ('sched_decoders', 'static_sched_decoders'),
    # ublk_create_target() of lib/ublk/ublk.c
    'ublk_create_target': ('rpc_ublk_create_target',),
    # spdk_virtio_blk_transport_ops.create_ctrlr of lib/vhost/vhost_blk.c
    'vhost_create_blk_controller': ('rpc_construct_vhost_blk',),
}

#: Decoders that read one value in ways of their own: what else they take,
#: from the first of two releases to the other.
NESTED: dict[str, list[tuple[str, str, dict[str, Any]]]] = {
    # g_raid_level_names of module/bdev/raid/bdev_raid.c, by strcasecmp()
    'decode_raid_level': [
        ('v20.01', 'v22.01.2', {'choice': ['raid0', '0', 'raid5', '5'],
                                'anycase': True}),
        ('v22.05', 'v22.05', {'choice': ['raid0', '0', 'raid5', '5',
                                         'concat'], 'anycase': True}),
        ('v22.09', 'v22.09', {'choice': ['raid0', '0', 'raid5f', '5f',
                                         'concat'], 'anycase': True}),
        ('v23.01', 'v26.01', {'choice': ['raid0', '0', 'raid1', '1',
                                         'raid5f', '5f', 'concat'],
                              'anycase': True})],
    # app/nvmf_tgt/nvmf_rpc.c, later lib/event/subsystems/nvmf/nvmf_rpc*.c:
    # an array of names where the array of objects cannot be read
    'decode_rpc_namespaces': [
        ('v17.10', 'v18.10.2', {'array': 'decode_rpc_ns_params',
                                'or_array_of': 'bdev_name'})],
}

#: Names that a method had without a deprecated alias, the newest first.
FORMER_NAMES = {
    'clear_log_flag': ['clear_trace_flag'],
    'get_log_flags': ['get_trace_flags'],
    'set_log_flag': ['set_trace_flag'],
}

#: Parameters that had another name: method -> name -> [former name, first
#: release, last release].
FORMER_PARAMS = {
    'bdev_passthru_create': {
        'name': [['passthru_bdev_name', 'v18.04', 'v18.10.2']]},
    'vhost_scsi_controller_add_target': {
        'scsi_target_num': [['scsi_dev_num', 'v17.03', 'v17.10.1']],
        'bdev_name': [['lun_name', 'v17.03', 'v17.10.1']]},
}

_DELETE = ('use the one for its kind: bdev_malloc_delete, bdev_null_delete, '
           'bdev_aio_delete, ...')

#: What to use in place of a method that is gone and was not renamed.
REPLACED = {
    'get_luns': 'the bdevs behind a controller are in vhost_get_controllers, '
                'LUNs in iscsi_get_target_nodes',
    'net_get_interfaces': "use the system's own tools (ip addr)",
    'net_interface_add_ip_address': "use the system's own tools (ip addr)",
    'net_interface_delete_ip_address':
        "use the system's own tools (ip addr)",
    'delete_bdev': _DELETE,
    'delete_lun': _DELETE,
    'bdev_nvme_set_multipath_policy':
        'use multipath_opts of bdev_nvme_attach_controller or '
        'bdev_nvme_set_options',
    'construct_nvmf_subsystem':
        'use nvmf_create_transport, nvmf_create_subsystem, '
        'nvmf_subsystem_add_ns, nvmf_subsystem_add_listener and '
        'nvmf_subsystem_add_host',
    'get_vhost_scsi_controllers': 'use vhost_get_controllers',
    'get_vhost_blk_controllers': 'use vhost_get_controllers',
    'remove_vhost_scsi_controller': 'use vhost_delete_controller',
    'remove_vhost_blk_controller': 'use vhost_delete_controller',
    'construct_malloc_lun': 'use bdev_malloc_create',
    'construct_aio_lun': 'use bdev_aio_create',
}
