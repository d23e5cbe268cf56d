# SPDX-License-Identifier: Apache-2.0

"""Why a call on a namespace failed: SPDK tells it only in its log.

Each function reads the target's state after the failure.
"""

from cyborg_spdk.clients.bdev import bdevs
from cyborg_spdk.clients.bdev import claims
from cyborg_spdk.clients import errors
from cyborg_spdk.clients.nvmf import calls
from cyborg_spdk.clients.nvmf import listeners
from cyborg_spdk.clients.nvmf import subsystems
from cyborg_spdk.clients import types
from cyborg_spdk.clients.types import reported
from cyborg_spdk import exceptions


def missing(client: calls.Caller, nqn: str,
            nsid: int) -> errors.Finding | None:
    """Cause: the namespace, or its subsystem, does not exist."""
    subsystem = subsystems.find(client, nqn)
    if subsystem is None:
        return exceptions.NotFound, f'subsystem {nqn} does not exist'
    if subsystem.namespace(nsid) is None:
        return exceptions.NotFound, f'{nqn} has no namespace {nsid}'
    return None


def not_added(client: calls.Caller, nqn: str, bdev_name: str,
              nsid: int | None,
              options: reported.Json) -> errors.Finding | None:
    """Cause: why a namespace could not be added.

    :param options: what else was asked for.
    """
    subsystem = subsystems.find(client, nqn)
    if subsystem is None:
        return exceptions.NotFound, f'subsystem {nqn} does not exist'
    if subsystem.is_discovery:
        return exceptions.InvalidParams, \
            f'{nqn} is a discovery subsystem: it has no namespaces'
    bdev = bdevs.find(client, bdev_name)
    if bdev is None:
        return exceptions.NotFound, f'bdev {bdev_name!r} does not exist'
    return _unfit_nsid(subsystem, nsid) or \
        _is_namespace(client, bdev, bdev_name) or \
        _full(subsystem, nsid) or \
        _unfit_group(subsystem, options.get('anagrpid')) or \
        claims.claimed(client, bdev_name) or \
        _unfit_options(nqn, bdev_name, options)


def _unfit_nsid(subsystem: types.Subsystem,
                nsid: int | None) -> errors.Finding | None:
    if not nsid:
        return None
    existing = subsystem.namespace(nsid)
    if existing is not None:
        return exceptions.AlreadyExists, \
            f'NSID {nsid} of {subsystem.nqn} is bdev {existing.bdev_name!r}'
    highest = subsystem.max_namespaces
    if highest and nsid > highest:
        return exceptions.InvalidParams, \
            f'NSID {nsid} is over max_namespaces {highest} of {subsystem.nqn}'
    return None


def _is_namespace(client: calls.Caller, bdev: types.Bdev,
                  bdev_name: str) -> errors.Finding | None:
    for subsystem in subsystems.get(client):
        for space in subsystem.namespaces:
            if bdev.known_as(space.bdev_name):
                return exceptions.PermissionDenied, f'bdev {bdev_name!r} ' \
                    f'is NSID {space.nsid} of {subsystem.nqn} already'
    return None


def _full(subsystem: types.Subsystem,
          nsid: int | None) -> errors.Finding | None:
    highest = subsystem.max_namespaces
    if nsid or not highest or len(subsystem.namespaces) < highest:
        return None
    return exceptions.NoSpace, \
        f'all {highest} NSIDs of {subsystem.nqn} are in use'


def _unfit_group(subsystem: types.Subsystem,
                 group: int | None) -> errors.Finding | None:
    highest = subsystem.max_namespaces
    if not group or not highest or group <= highest:
        return None
    return exceptions.InvalidParams, f'anagrpid {group} is over ' \
        f'max_namespaces {highest} of {subsystem.nqn}'


def _unfit_options(nqn: str, bdev_name: str,
                   options: reported.Json) -> errors.Finding | None:
    if options.get('ptpl_file'):
        return exceptions.InvalidParams, 'ptpl_file ' \
            f'{options["ptpl_file"]!r} of bdev {bdev_name!r} cannot be used'
    return listeners.unfit_options(
        f'bdev {bdev_name!r} as namespace of {nqn}', options)
