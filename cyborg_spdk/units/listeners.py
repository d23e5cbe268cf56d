# SPDX-License-Identifier: Apache-2.0

"""Which listeners of a subsystem want TLS."""

from cyborg_spdk import clients
from cyborg_spdk.clients import types

_LISTEN = 'nvmf_subsystem_add_listener'


def secure(target: clients.NvmfTgt,
           nqn: str) -> list[types.ListenAddress]:
    """Listeners of a subsystem that let in with TLS alone (v23.05).

    No RPC tells it of a listener; the configuration does.

    :param target: the client.
    :param nqn: the subsystem.
    :returns: their addresses.
    """
    reply = target.rpc.call('framework_get_config', name='nvmf')
    return [types.ListenAddress.parse(one['params']['listen_address'])
            for one in reply or () if one.get('method') == _LISTEN
            and one['params'].get('nqn') == nqn
            and one['params'].get('secure_channel')]


def plain(target: clients.NvmfTgt, nqn: str) -> list[types.ListenAddress]:
    """Listeners of a subsystem that let in without TLS.

    :param target: the client.
    :param nqn: the subsystem.
    :returns: their addresses.
    """
    with_tls = {one.place for one in secure(target, nqn)}
    return [one for one in target.nvmf_get_subsystems(nqn)[0].listen_addresses
            if one.place not in with_tls]
