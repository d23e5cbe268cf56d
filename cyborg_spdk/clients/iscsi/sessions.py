# SPDX-License-Identifier: Apache-2.0

"""Connections of iSCSI initiators, and CHAP of discovery sessions."""

from typing import Any

from cyborg_spdk.clients import base
from cyborg_spdk.clients.iscsi import values
from cyborg_spdk.clients import types


def get_connections(client: base.Caller) -> list[types.IscsiConnection]:
    """The connections of initiators.

    :returns: list of :class:`~cyborg_spdk.clients.types.IscsiConnection`.
    """
    return types.IscsiConnection.parse_list(
        base.call(client, 'iscsi_get_connections'))


def set_discovery_auth(client: base.Caller, **chap: Any) -> bool:
    """Set CHAP for discovery sessions.

    :param chap: disable_chap, require_chap, mutual_chap, chap_group.
    :returns: True.
    """
    return base.act(client, 'iscsi_set_discovery_auth',
                    _about='CHAP of discovery', **values.check_chap(chap))
