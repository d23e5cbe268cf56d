# SPDX-License-Identifier: Apache-2.0

"""What a service that runs on this host says of itself."""

import http.client
import json
import ssl
from typing import Any

from oslo_config import cfg

from cyborg_spdk import exceptions
from cyborg_spdk.host import trusted_files
from cyborg_spdk.service import options

_TIMEOUT = 2.0

#: A certificate of one service has kilobytes; /health of 50 targets as well.
_LIMIT = 16 << 20


def health(conf: cfg.ConfigOpts) -> dict[str, Any] | None:
    """The ``/health`` of the service of this host. Blocks for 2 s at most.

    :param conf: the configuration; it says where the service listens, with
        which certificate and token.
    :returns: what it says; None if none runs, or it cannot be asked.
    """
    options.register(conf)
    group = conf[options.GROUP]
    if not group.listen_port:
        return None
    try:
        connection = _connection(group)
        try:
            connection.request('GET', '/health', headers=_headers(group))
            found = json.loads(connection.getresponse().read(_LIMIT))
        finally:
            connection.close()
    except (OSError, http.client.HTTPException, ValueError, RecursionError,
            exceptions.SpdkError):
        return None
    return found if isinstance(found, dict) and isinstance(
        found.get('duties'), dict) else None


def _connection(group: cfg.ConfigOpts.GroupAttr
                ) -> http.client.HTTPConnection:
    where = group.listen_address, group.listen_port
    if not group.tls_certificate:
        return http.client.HTTPConnection(*where, timeout=_TIMEOUT)
    # It is the very certificate that the service shows, whatever name is
    # in it, and whoever has signed it.
    context = ssl.create_default_context(cafile=group.tls_certificate)
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return http.client.HTTPSConnection(*where, timeout=_TIMEOUT,
                                       context=context)


def _headers(group: cfg.ConfigOpts.GroupAttr) -> dict[str, str]:
    if not group.token_file:
        return {}
    token = (trusted_files.read(group.token_file) or b'').split(b'\n')[0]
    return {'Authorization': f'Bearer {token.decode().strip()}'}
