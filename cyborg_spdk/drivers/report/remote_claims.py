# SPDX-License-Identifier: Apache-2.0

"""One host alone reports a target that several can reach.

A target by ``ssh://`` or ``tcp://`` may stand in the configuration of two
hosts, and its units would be given away twice. So the host that reports it
has a provider in Placement that is named after its address, below its own:
Placement makes one of a name and no more, whoever asks first, and takes it
away with the host.
"""

import hashlib
import ipaddress

from cyborg_spdk import conf
from cyborg_spdk import exceptions
from cyborg_spdk import rpc
from cyborg_spdk.units import placement

_LOCAL = ('localhost', 'localhost.localdomain')


def name(target: conf.Target) -> str | None:
    """Name of the provider that says who reports a target.

    The user and the spelling of the host's name in capitals make no
    difference; two names of one machine do.

    :returns: None for a target that only this host can reach: a socket, or
        an address of its loopback.
    """
    found = rpc.parse_address(target.rpc_address)
    if found.scheme == 'unix' or _is_local(found.host or ''):
        return None
    where = f'{found.scheme} {(found.host or "").lower()} {found.port} ' \
        f'{found.path}'
    return 'spdk-target_' + hashlib.sha256(where.encode()).hexdigest()[:32]


def _is_local(host: str) -> bool:
    if host.lower() in _LOCAL:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def other_host(service: placement.Placement, host: str,
               target: conf.Target) -> str | None:
    """Claim a target for this host, if nobody has.

    :param service: Placement.
    :param host: resource provider name of this host.
    :returns: resource provider name of the other host that reports it; None
        if this one may.
    :raises PlacementError: if Placement cannot be asked.
    """
    claim = name(target)
    if claim is None:
        return None
    root = service.provider(host)
    if root is None:
        raise exceptions.PlacementError(f'it has no provider {host}')
    # Whoever was first: what the other sees after that is his.
    service.ensure_child(claim, root.uuid)
    holder = service.provider(claim)
    if holder is None:
        raise exceptions.PlacementError(f'it has no provider {claim}')
    if holder.root == root.uuid:
        return None
    return service.name_of(holder.root) or holder.root


def release(service: placement.Placement, host: str,
            target: conf.Target) -> None:
    """Let another host report a target that is configured here no more.

    :raises PlacementError: if Placement cannot be asked.
    """
    claim = name(target)
    root = service.provider(host) if claim else None
    holder = service.provider(claim) if claim else None
    if root and holder and holder.root == root.uuid:
        service.delete(holder.uuid)
