# SPDX-License-Identifier: Apache-2.0

"""Telling the network by mDNS where the discovery subsystem listens."""

from cyborg_spdk.clients import errors
from cyborg_spdk.clients.nvmf import calls
from cyborg_spdk.clients.nvmf import subsystems
from cyborg_spdk.clients import validate
from cyborg_spdk import exceptions


def publish(client: calls.Caller, *, exist_ok: bool = False) -> bool:
    """Tell the network by mDNS where the discovery subsystem listens.

    v24.05, in builds with Avahi. One target of an application can be
    published at a time.

    :param exist_ok: do not mind if it is published already.
    :returns: True.
    :raises NotFound: the discovery subsystem does not listen.
    :raises AlreadyExists: it is published already.
    :raises NotSupported: this build has no Avahi.
    """
    method = 'nvmf_publish_mdns_prr'
    discovery = subsystems.find(client, validate.DISCOVERY_NQN)
    # v26.05, mdns_server.c: a target without the subsystem is a crash.
    if discovery is None or not discovery.listen_addresses:
        raise errors.missing(
            method, None, 'the discovery subsystem does not listen '
            'anywhere: nvmf_subsystem_add_listener '
            f'{validate.DISCOVERY_NQN} first; not sent')
    try:
        return calls.act(client, method, _cause=_refused)
    except exceptions.AlreadyExists:
        if not exist_ok:
            raise
    return True


def _refused(exc: exceptions.RpcError) -> errors.Finding:
    if isinstance(exc, exceptions.AlreadyExists):
        return type(exc), 'it is published already'
    if isinstance(exc, exceptions.NotSupported):
        return type(exc), 'this SPDK was built without Avahi'
    return type(exc), 'another target of this application is published, or ' \
        'no Avahi daemon runs on the target\'s host'


def stop(client: calls.Caller) -> bool:
    """Stop what ``nvmf_publish_mdns_prr`` began (v24.05).

    :returns: True, also if nothing was published: SPDK does not tell.
    """
    return calls.act(client, 'nvmf_stop_mdns_prr')
