# SPDX-License-Identifier: Apache-2.0

"""The application itself: what it serves, its release, its end."""

from cyborg_spdk.clients import base
from cyborg_spdk.clients import types
from cyborg_spdk.clients import validate
from cyborg_spdk import exceptions

#: app_rpc.c.
SIGNALS = ('SIGINT', 'SIGTERM', 'SIGQUIT', 'SIGHUP', 'SIGKILL', 'SIGUSR1')


def get_methods(client: base.Caller) -> list[str]:
    """Names of the methods that the target has, without aliases.

    :returns: sorted list of str.
    """
    return sorted(base.call(client, 'rpc_get_methods'))


def get_version(client: base.Caller) -> types.Version:
    """Release of the target (v19.04 or later).

    :returns: :class:`~cyborg_spdk.clients.types.Version`.
    """
    return types.Version.parse(base.call(client, 'spdk_get_version'))


def kill_instance(client: base.Caller, sig_name: str = 'SIGTERM') -> bool:
    """Make the target end.

    :param sig_name: SIGTERM and SIGINT end it in an orderly way; SIGQUIT,
        SIGHUP, SIGKILL and (v20.07) SIGUSR1 kill it.
    :returns: True: the target has the request. Releases before v26.05
        mostly close the connection instead of answering, and so does any
        release that is killed: that counts as success.
    """
    sig_name = validate.choice('sig_name', sig_name, SIGNALS)
    try:
        base.call(client, 'spdk_kill_instance', sig_name=sig_name,
                  _about=f'signal {sig_name}')
    except exceptions.ConnectionLost:
        pass
    return True
