# SPDX-License-Identifier: Apache-2.0

"""Which listeners of a subsystem want TLS."""

from cyborg_spdk import clients
from cyborg_spdk.clients import types
from cyborg_spdk import rpc

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


def tls_alone(client: rpc.Client, timeout: float) -> frozenset[str]:
    """NQNs of the subsystems that let in with TLS alone (v23.05).

    :param client: the client of the target.
    :param timeout: seconds.
    :raises SpdkError: if the target cannot be asked.
    """
    found: dict[str, bool] = {}
    for one in client.call('framework_get_config', name='nvmf',
                           _timeout=timeout) or ():
        if one.get('method') == _LISTEN:
            nqn = one['params'].get('nqn')
            found[nqn] = found.get(nqn, True) and bool(
                one['params'].get('secure_channel'))
    return frozenset(nqn for nqn, alone in found.items() if alone)


def plain(target: clients.NvmfTgt, nqn: str) -> list[types.ListenAddress]:
    """Listeners of a subsystem that let in without TLS.

    :param target: the client.
    :param nqn: the subsystem.
    :returns: their addresses.
    """
    with_tls = {one.place for one in secure(target, nqn)}
    return [one for one in target.nvmf_get_subsystems(nqn)[0].listen_addresses
            if one.place not in with_tls]
