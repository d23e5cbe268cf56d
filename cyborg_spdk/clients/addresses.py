# SPDX-License-Identifier: Apache-2.0

"""Addresses of NVMe over Fabrics: from what people write to what is sent."""

from collections.abc import Mapping
import re
from typing import Any

from cyborg_spdk.clients import types
from cyborg_spdk.clients.types import reported
from cyborg_spdk.clients import validate

#: What :func:`parse` takes.
Address = types.ListenAddress | Mapping[str, Any] | str

#: Transports in SPDK's spelling (lib/nvme/nvme.c,
#: spdk_nvme_transport_id_populate_trstring and parse_trtype).
TRTYPES = ('TCP', 'RDMA', 'FC', 'PCIe', 'VFIOUSER')

#: Address families in SPDK's spelling (spdk_nvme_transport_id_adrfam_str).
ADRFAMS = ('IPv4', 'IPv6', 'IB', 'FC')

#: Port of NVMe over Fabrics registered with IANA.
DEFAULT_PORT = '4420'

_PARTS = ('trtype', 'traddr', 'trsvcid', 'adrfam')
_URL = re.compile(r'(?P<trtype>\w+):(?://)?(?:\[(?P<six>[^]]*)\]|'
                  r'(?P<traddr>[^]:[]+))(?::(?P<trsvcid>\d+))?/?\Z')


def parse(value: Address, name: str = 'listener') -> types.ListenAddress:
    """An address, checked.

    :param value: a :class:`~cyborg_spdk.clients.types.ListenAddress`; a
        dict with ``trtype``, ``traddr``, ``trsvcid``, ``adrfam``; or a
        string: ``tcp://127.0.0.1:4420``, ``TCP:[::1]:4420``,
        ``trtype:TCP traddr:127.0.0.1 trsvcid:4420``.
    :param name: what the address is for, for the error.
    :returns: :class:`~cyborg_spdk.clients.types.ListenAddress`. The port
        of TCP and RDMA is 4420 where none is given, the address family is
        that of the address.
    :raises InvalidValue: it cannot be used.
    """
    parts: Mapping[str, Any]
    if isinstance(value, types.ListenAddress):
        parts = {part: getattr(value, part) for part in _PARTS}
    elif isinstance(value, Mapping):
        parts = value
    elif isinstance(value, str):
        parts = _split(value, name)
    else:
        validate.refuse(name, value, 'give an address such as '
                        'tcp://127.0.0.1:4420')
    unknown = sorted(set(parts) - set(_PARTS))
    if unknown:
        validate.refuse(name, value, f'{unknown[0]!r} is no part of an '
                        'address: use trtype, traddr, trsvcid, adrfam')
    return make(*(parts.get(part) for part in _PARTS))


def _split(value: str, name: str) -> Mapping[str, str | None]:
    if re.match(r'\s*trtype:', value, re.I):
        return dict(_pair(part, value, name) for part in value.split())
    match = _URL.match(value.strip())
    if not match:
        validate.refuse(name, value, 'give an address such as '
                        'tcp://127.0.0.1:4420 or tcp://[::1]:4420')
    return {'trtype': match['trtype'],
            'traddr': match['six'] or match['traddr'],
            'trsvcid': match['trsvcid']}


def _pair(part: str, value: str, name: str) -> tuple[str, str]:
    key, colon, rest = part.partition(':')
    if not colon or not rest:
        validate.refuse(name, value, f'{part!r} is no "key:value"')
    return key.lower(), rest


def make(trtype: str | None, traddr: str | None,
         trsvcid: int | str | None = None,
         adrfam: str | None = None) -> types.ListenAddress:
    """An address of its parts, checked.

    :param trtype: one of :data:`TRTYPES`, in any case.
    :param traddr: IP address for TCP and RDMA.
    :param trsvcid: port for TCP and RDMA; None means 4420.
    :param adrfam: one of :data:`ADRFAMS`; None finds it out.
    :returns: :class:`~cyborg_spdk.clients.types.ListenAddress`.
    :raises InvalidValue: it cannot be used.
    """
    trtype = validate.choice('trtype', trtype, TRTYPES)
    traddr = validate.text('traddr', traddr, validate.TRADDR_MAX)
    if adrfam is not None:
        adrfam = validate.choice('adrfam', adrfam, ADRFAMS)
    if trtype in ('TCP', 'RDMA'):
        family = f'IPv{validate.ip_address("traddr", traddr).version}'
        if adrfam not in (None, family):
            validate.refuse('adrfam', adrfam, f'{traddr} is {family}')
        adrfam = family
        trsvcid = validate.port('trsvcid', trsvcid or DEFAULT_PORT)
    return types.ListenAddress(trtype=trtype, traddr=traddr,
                               trsvcid=str(trsvcid or ''), adrfam=adrfam)


def params(address: types.ListenAddress) -> reported.Json:
    """The JSON object that is sent for an address."""
    return {part: getattr(address, part)
            for part in ('trtype', 'adrfam', 'traddr', 'trsvcid')
            if getattr(address, part)}
