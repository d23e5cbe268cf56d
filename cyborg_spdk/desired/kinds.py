# SPDX-License-Identifier: Apache-2.0

"""Which object a call of a configuration makes, and what that depends on.

The calls are those that SPDK's ``*_config_json`` functions write (v18.01 to
v26.09); names are those of the newest release. A key is ``kind:name``.
"""

import collections.abc
import dataclasses
import hashlib
import json
import os
import typing

Params = dict[str, typing.Any]

#: In which order objects are made; those of one level need each other not,
#: but for :data:`UPPER`, which are made by depth.
OPTION, KEY, BASE, UPPER, CONTAINER, MEMBER, LISTENER, LAST = range(8)


@dataclasses.dataclass(frozen=True)
class Made:
    """What a call makes.

    :ivar key: of the object.
    :ivar level: one of the constants of this module.
    :ivar part_of: key of the object that it goes with when that is deleted.
    :ivar stands_on: keys of what has to be there before.
    :ivar shown: whether ``framework_get_config`` shows it.
    """

    key: str
    level: int
    part_of: str | None = None
    stands_on: tuple[str, ...] = ()
    shown: bool = True


_Rule = collections.abc.Callable[[Params], Made]


def address(params: Params) -> str:
    """An NVMe-oF address as one word, the same for the same."""
    where = params.get('listen_address') or params.get('address') or params
    trtype = str(where.get('trtype', '')).upper()
    port = str(where.get('trsvcid') or '')
    return f'{trtype}:{where.get("traddr", "")}' + (f':{port}' if port
                                                    else '')


def _files(*paths: typing.Any) -> tuple[str, ...]:
    return tuple(f'file:{path}' for path in paths
                 if isinstance(path, str) and os.path.isabs(path))


def _bdevs(*names: typing.Any) -> tuple[str, ...]:
    return tuple(f'bdev:{name}' for name in names if name)


def _keys(params: Params) -> tuple[str, ...]:
    return tuple(f'key:{params[name]}' for name in
                 ('psk', 'dhchap_key', 'dhchap_ctrlr_key')
                 if params.get(name))


def _plain(params: Params) -> Made:
    return Made(f'bdev:{params["name"]}', BASE, stands_on=_files(
        params.get('filename')))


def _upper(*bases: str) -> _Rule:
    def rule(params: Params) -> Made:
        below = _bdevs(*(params.get(base) for base in bases))
        if params.get('key_name'):
            below += (f'crypto-key:{params["key_name"]}',)
        return Made(f'bdev:{params["name"]}', UPPER, stands_on=below)
    return rule


def _raid(params: Params) -> Made:
    return Made(f'bdev:{params["name"]}', UPPER,
                stands_on=_bdevs(*raid_bases(params)))


def raid_bases(params: Params) -> list[str]:
    """Names of the base bdevs in a ``bdev_raid_create``."""
    bases = params.get('base_bdevs') or []
    return bases.split() if isinstance(bases, str) else list(bases)


def _attach(params: Params) -> Made:
    return Made(f'nvme:{params["name"]}@{address(params)}', BASE,
                stands_on=_keys(params))


def _subsystem_part(kind: str, level: int, ident: str) -> _Rule:
    def rule(params: Params) -> Made:
        nqn = params['nqn']
        return Made(f'{kind}:{nqn}/{params[ident]}', level,
                    part_of=f'subsystem:{nqn}', stands_on=_keys(params))
    return rule


def _namespace(params: Params) -> Made:
    nqn, namespace = params['nqn'], params['namespace']
    return Made(f'namespace:{nqn}/{namespace["nsid"]}', MEMBER,
                part_of=f'subsystem:{nqn}',
                stands_on=_bdevs(namespace['bdev_name']))


def _visible(params: Params) -> Made:
    namespace = f'{params["nqn"]}/{params["nsid"]}'
    return Made(f'visible:{namespace}/{params["host"]}', LAST,
                part_of=f'namespace:{namespace}')


def _listener(params: Params) -> Made:
    where = address(params)
    return Made(f'listener:{params["nqn"]}/{where}', LISTENER,
                part_of=f'subsystem:{params["nqn"]}',
                stands_on=(f'transport:{where.partition(":")[0]}',))


def _vhost_target(params: Params) -> Made:
    ctrlr = params['ctrlr']
    return Made(f'vhost-target:{ctrlr}/{params["scsi_target_num"]}', MEMBER,
                part_of=f'vhost:{ctrlr}',
                stands_on=_bdevs(params['bdev_name']))


def _node(params: Params) -> Made:
    groups = [f'{kind}-group:{one[tag]}'
              for one in params.get('pg_ig_maps') or ()
              for kind, tag in (('portal', 'pg_tag'),
                                ('initiator', 'ig_tag'))]
    return Made(f'node:{params["name"]}', MEMBER, stands_on=tuple(groups))


def _lun(params: Params) -> Made:
    return Made(f'lun:{params["name"]}/{params["lun_id"]}', LAST,
                part_of=f'node:{params["name"]}',
                stands_on=_bdevs(params['bdev_name']))


def _raid_base(params: Params) -> Made:
    raid, base = params['raid_bdev'], params['base_bdev']
    return Made(f'raid-base:{raid}/{base}', LAST, part_of=f'bdev:{raid}',
                stands_on=_bdevs(base))


def _named(kind: str, level: int, ident: str = 'name') -> _Rule:
    return lambda params: Made(f'{kind}:{params[ident]}', level)


def _on_bdev(kind: str, ident: str = 'name') -> _Rule:
    return lambda params: Made(f'{kind}:{params[ident]}', LAST,
                               part_of=f'bdev:{params[ident]}')


def _of(kind: str, parent: str, ident: str) -> _Rule:
    return lambda params: Made(f'{kind}:{params[ident]}', LAST,
                               part_of=f'{parent}:{params[ident]}')


_RULES: dict[str, _Rule] = {
    **dict.fromkeys(
        ('bdev_malloc_create', 'bdev_null_create', 'bdev_aio_create',
         'bdev_uring_create', 'bdev_xnvme_create', 'bdev_rbd_create',
         'bdev_iscsi_create', 'bdev_daos_create', 'bdev_pmem_create'),
        _plain),
    'bdev_passthru_create': _upper('base_bdev_name'),
    'bdev_delay_create': _upper('base_bdev_name'),
    'bdev_crypto_create': _upper('base_bdev_name'),
    'bdev_zone_block_create': _upper('base_bdev'),
    'bdev_ftl_create': _upper('base_bdev', 'cache'),
    'bdev_ocf_create': _upper('cache_bdev_name', 'core_bdev_name'),
    'bdev_error_create': lambda params: Made(
        f'bdev:EE_{params["base_name"]}', UPPER,
        stands_on=_bdevs(params['base_name'])),
    'bdev_split_create': lambda params: Made(
        f'split:{params["base_bdev"]}', UPPER,
        stands_on=_bdevs(params['base_bdev'])),
    'bdev_raid_create': _raid,
    'bdev_raid_add_base_bdev': _raid_base,
    'bdev_nvme_attach_controller': _attach,
    'bdev_nvme_start_discovery': _named('discovery', BASE),
    'bdev_nvme_start_mdns_discovery': _named('discovery', BASE),
    'bdev_virtio_attach_controller': _named('virtio', BASE),
    'bdev_nvme_set_multipath_policy': _on_bdev('multipath-policy'),
    'bdev_set_qos_limit': _on_bdev('qos'),
    'bdev_enable_histogram': _on_bdev('histogram'),
    'keyring_file_add_key': lambda params: Made(
        f'key:{params["name"]}', KEY, stands_on=_files(params['path'])),
    'accel_crypto_key_create': _named('crypto-key', KEY),
    'nvmf_create_transport': lambda params: Made(
        f'transport:{str(params["trtype"]).upper()}', CONTAINER),
    'nvmf_create_subsystem': _named('subsystem', CONTAINER, 'nqn'),
    'nvmf_subsystem_add_ns': _namespace,
    'nvmf_subsystem_add_host': _subsystem_part('host', MEMBER, 'host'),
    'nvmf_subsystem_add_listener': _listener,
    'nvmf_ns_add_host': _visible,
    'nvmf_discovery_add_referral': lambda params: Made(
        f'referral:{address(params)}', LAST),
    'vhost_create_blk_controller': lambda params: Made(
        f'vhost:{params["ctrlr"]}', MEMBER,
        stands_on=_bdevs(params['dev_name'])),
    'vhost_create_scsi_controller': _named('vhost', CONTAINER, 'ctrlr'),
    'vhost_scsi_controller_add_target': _vhost_target,
    'vhost_start_scsi_controller': _of('vhost-start', 'vhost', 'ctrlr'),
    'vhost_controller_set_coalescing': _of('coalescing', 'vhost', 'ctrlr'),
    'virtio_blk_create_transport': _named('virtio-blk-transport',
                                          CONTAINER),
    'iscsi_create_portal_group': _named('portal-group', CONTAINER, 'tag'),
    'iscsi_create_initiator_group': _named('initiator-group', CONTAINER,
                                           'tag'),
    'iscsi_create_auth_group': _named('auth-group', CONTAINER, 'tag'),
    'iscsi_create_target_node': _node,
    'iscsi_target_node_add_lun': _lun,
    'iscsi_enable_histogram': _of('iscsi-histogram', 'node', 'name'),
    'nbd_start_disk': lambda params: Made(
        f'nbd:{params["nbd_device"]}', LAST,
        stands_on=_bdevs(params['bdev_name'])),
    'ublk_create_target': lambda params: Made('ublk-target:ublk', CONTAINER),
    'ublk_start_disk': lambda params: Made(
        f'ublk:{params["ublk_id"]}', LAST,
        stands_on=_bdevs(params['bdev_name'])),
    'fsdev_aio_create': _named('fsdev', BASE),
}

#: Options, by the parameter that tells several of one method apart.
_OPTIONS = {
    'sock_impl_set_options': 'impl_name', 'accel_assign_opc': 'opname',
    'accel_error_inject_error': 'opcode', 'bdev_examine': 'name',
    **dict.fromkeys((
        'accel_set_options', 'accel_set_driver', 'bdev_set_options',
        'bdev_nvme_set_options', 'bdev_nvme_set_hotplug',
        'bdev_raid_set_options', 'bdev_iscsi_set_options',
        'dpdk_cryptodev_set_driver', 'framework_set_scheduler',
        'fsdev_set_opts', 'iobuf_set_options', 'iscsi_set_options',
        'keyring_linux_set_options', 'nvmf_set_config', 'nvmf_set_crdt',
        'nvmf_set_max_subsystems', 'scheduler_set_options',
        'sock_set_default_impl', 'vmd_enable', 'ae4dma_scan_accel_module',
        'compressdev_scan_accel_module', 'cuda_scan_accel_module',
        'dpdk_cryptodev_scan_accel_module', 'dsa_scan_accel_module',
        'iaa_scan_accel_module', 'ioat_scan_accel_module',
        'mlx5_scan_accel_module')),
}

#: What lies on disk and comes with it: never made a second time, since
#: that would overwrite what is there.
ON_DISK = frozenset({'bdev_lvol_create_lvstore', 'bdev_lvol_create',
                     'bdev_lvol_snapshot', 'bdev_lvol_clone'})


def made_by(method: str, params: Params) -> Made:
    """What a call makes.

    :param method: its name in the newest release.
    :param params: its parameters.
    :returns: :class:`Made`. A call that no release writes into a
        configuration, or that leaves the naming to SPDK, is an object of
        its own that is not shown.
    """
    if method in _OPTIONS:
        which = params.get(_OPTIONS[method] or '')
        return Made(f'option:{method}' + (f'/{which}' if which else ''),
                    OPTION)
    rule = _RULES.get(method)
    if rule is not None:
        try:
            return rule(params)
        except (KeyError, TypeError, AttributeError):
            pass  # Hand-written: SPDK has the last word.
    text = json.dumps([method, params], sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    nqn = params.get('nqn')
    return Made(f'call:{method}/{digest}', _LEVELS.get(method, LAST),
                part_of=f'subsystem:{nqn}' if nqn else None,
                stands_on=_bdevs(*(
                    params.get(name) for name in _NAMES_BDEV)),
                shown=False)


_NAMES_BDEV = ('base_bdev_name', 'bdev_name')
#: Levels of calls that are not shown, or lack a name that SPDK chooses.
_LEVELS = {
    **dict.fromkeys(('bdev_malloc_create', 'bdev_null_create'), BASE),
    **dict.fromkeys(ON_DISK, UPPER),
    'nvmf_subsystem_add_ns': MEMBER,
    'nvmf_subsystem_allow_any_host': MEMBER,
}
