# SPDX-License-Identifier: Apache-2.0

"""Referrals: discovery services that hosts are sent to (v24.01)."""

from typing import Any

from cyborg_spdk.clients import addresses
from cyborg_spdk.clients import errors
from cyborg_spdk.clients.nvmf import calls
from cyborg_spdk.clients import types
from cyborg_spdk.clients import validate


def get(client: calls.Caller) -> list[types.Referral]:
    """Discovery services that hosts are sent to (v24.01).

    :returns: list of :class:`~cyborg_spdk.clients.types.Referral`.
    """
    return types.Referral.parse_list(
        calls.call(client, 'nvmf_discovery_get_referrals'))


def _find(client: calls.Caller, address: types.ListenAddress,
          subnqn: str | None) -> types.Referral | None:
    return next((each for each in get(client)
                 if each.address.place == address.place
                 and subnqn in (None, each.subnqn)), None)


def add(client: calls.Caller, address: addresses.Address, *,
        subnqn: str | None = None, exist_ok: bool = False,
        **options: Any) -> types.ListenAddress:
    """Send hosts to another discovery service, too (v24.01).

    :param address: as :func:`cyborg_spdk.clients.addresses.parse` takes it;
        give the port, 8009 mostly.
    :param subnqn: NQN of its discovery subsystem; None is the well-known
        one.
    :param exist_ok: do not mind if it is there already.
    :param options: others that the release has: secure_channel.
    :returns: the :class:`~cyborg_spdk.clients.types.ListenAddress`.
    :raises AlreadyExists: it is there and ``exist_ok`` is not set.
    """
    address = addresses.parse(address, 'referral')
    if subnqn is not None:
        validate.nqn(subnqn, 'subnqn')
    method = 'nvmf_discovery_add_referral'
    # SPDK answers "true" to one that it has (nvmf.c,
    # spdk_nvmf_tgt_add_referral).
    if _find(client, address, subnqn) is not None:
        if exist_ok:
            return address
        raise errors.taken(method, None,
                           f'referral to {address} exists already')
    calls.call(client, method, subnqn=subnqn,
               address=addresses.params(address),
               _about=f'referral to {address}', **options)
    return address


def remove(client: calls.Caller, address: addresses.Address, *,
           subnqn: str | None = None, missing_ok: bool = False) -> bool:
    """Send hosts there no more (v24.01).

    :param address: as :func:`cyborg_spdk.clients.addresses.parse` takes it.
    :param subnqn: NQN of its discovery subsystem, as it was added.
    :param missing_ok: do not mind if there is none.
    :returns: True; False if it was not there.
    :raises NotFound: it was not there and ``missing_ok`` is not set.
    """
    parsed = addresses.parse(address, 'referral')
    return calls.delete(
        client, 'nvmf_discovery_remove_referral', f'referral to {parsed}',
        lambda: _find(client, parsed, subnqn) is None, missing_ok,
        subnqn=subnqn, address=addresses.params(parsed))
