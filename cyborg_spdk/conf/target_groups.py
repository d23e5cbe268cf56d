# SPDX-License-Identifier: Apache-2.0

"""The targets that the configuration describes, a group of options each."""

from __future__ import annotations

import dataclasses
import os
import re
from typing import Any

from oslo_config import cfg

from cyborg_spdk.conf import options
from cyborg_spdk.conf import values
from cyborg_spdk import exceptions

# Groups that have options of their own: ours, and those of the agent's file
# (of Cyborg 17 and what it stands on; all of oslo's begin alike).
_NO_TARGETS = frozenset((
    options.GROUP, 'agent', 'api', 'audit_middleware_notifications',
    'cache', 'conductor', 'coordination', 'cors', 'cyborg',
    'cyborg_spdk_privileged', 'cyborg_sys_admin', 'database', 'default',
    'glance', 'gpu_devices',
    'healthcheck', 'keystone', 'keystone_authtoken', 'nic_devices', 'none',
    'nova', 'nvme', 'pci', 'placement', 'placement_database', 'privsep',
    'profiler', 'service_user', 'spdk_service', 'ssl', 'workarounds'))
_OSLO = 'oslo_'

_TARGET_NAME = re.compile(r'[a-z0-9][a-z0-9_-]{0,62}\Z')


@dataclasses.dataclass(frozen=True)
class Target:
    """One target as the configuration describes it.

    :ivar name: its name: that of its group of options.
    :ivar kind: one of :data:`KINDS`.
    :ivar application: name of the program that serves it.
    :ivar rpc_address: where it listens (str; see :mod:`cyborg_spdk.rpc`).
    :ivar memory_mb: its memory in MiB.

    The other fields are the options of the same name.
    """

    name: str
    kind: str
    application: str
    rpc_address: str
    start: bool
    core_mask: str | None
    memory_mb: int
    no_huge: bool
    interrupt_mode: bool
    config_file: str | None
    save_config: bool
    extra_args: tuple[str, ...]
    resource_class: str
    repair: bool = False
    rpcs_allowed: tuple[str, ...] = ()


def targets(conf: cfg.ConfigOpts, kind: str | None = None) -> list[Target]:
    """The targets that the configuration describes.

    Every option of ours is read, so that a bad value is told here and not
    in the middle of the work.

    :param conf: an ``oslo_config.cfg.ConfigOpts``.
    :param kind: one of :data:`KINDS`; None means all, in that order.
    :returns: list of :class:`Target`.
    :raises ConfigurationError: for a name or a value that cannot be used.
    """
    values.check(conf)
    found = []
    owner: dict[str, str] = {}
    for one in options.KINDS:
        for name in conf.spdk[f'{one}_targets']:
            option = f'[spdk] {one}_targets'
            if name in owner:
                raise exceptions.ConfigurationError(
                    option, name, f'{owner[name]} names it already; give '
                    'each target a name of its own')
            owner[name] = option
            if kind in (None, one):
                found.append(target(conf, one, name))
    return found


def target(conf: cfg.ConfigOpts, kind: str, name: str) -> Target:
    """One target, as its group of options describes it.

    :param conf: an ``oslo_config.cfg.ConfigOpts``.
    :param kind: one of :data:`KINDS`.
    :param name: its name.
    :returns: :class:`Target`.
    :raises ConfigurationError: for a name or a value that cannot be used.
    """
    if not _TARGET_NAME.match(name):
        raise exceptions.ConfigurationError(
            f'[spdk] {kind}_targets', name,
            'use 1 to 63 lower-case letters, digits, "_" and "-"')
    if name in _NO_TARGETS or name.startswith(_OSLO):
        raise exceptions.ConfigurationError(
            f'[spdk] {kind}_targets', name,
            f'[{name}] is a group of other options; give the target another '
            'name')
    opts = options.target_opts(kind)
    conf.register_opts(opts, group=name)
    found: dict[str, Any] = {
        opt.name: values.arguments(conf, name, opt)
        if opt.name == 'extra_args' else values.value(conf, name, opt)
        for opt in opts}
    found['rpcs_allowed'] = tuple(found['rpcs_allowed'])
    found['rpc_address'] = found['rpc_address'] or os.path.join(
        conf.spdk.run_path, name + '.sock')
    if found['memory_mb'] is None:
        found['memory_mb'] = options.MEMORY_MB[found['application']]
    return Target(name=name, kind=kind, **found)
