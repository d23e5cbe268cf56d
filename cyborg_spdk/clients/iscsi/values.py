# SPDX-License-Identifier: Apache-2.0

"""Values of iSCSI, checked and in the form that is sent."""

from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
import ipaddress
import re
from typing import Any

from cyborg_spdk.clients import types
from cyborg_spdk.clients.types import reported
from cyborg_spdk.clients import validate

#: What :func:`portal` takes.
Portal = types.Portal | Mapping[str, Any] | str

#: What :func:`luns_of` takes.
Luns = Mapping[int, str] | Iterable[str | tuple[int, str]]

#: What :func:`maps_of` takes.
Maps = Iterable[tuple[int, int] | Mapping[str, int]]

#: Tags of groups are int32 (lib/iscsi).
TAG_MAX = 2 ** 31 - 1


def portal(value: Portal) -> dict[str, str]:
    """One portal, checked.

    :param value: ``"127.0.0.1:3260"``, ``"[::1]:3260"``, ``"127.0.0.1"``
        or dict of ``host`` and ``port``.
    :returns: dict of ``host`` and ``port`` as SPDK wants them.
    """
    if isinstance(value, types.Portal):
        value = {'host': value.host, 'port': value.port}
    if isinstance(value, Mapping):
        host, port = value.get('host'), value.get('port')
    elif isinstance(value, str):
        if value.startswith('['):
            host, _, port = value[1:].partition(']')
            port = port.removeprefix(':')
        else:
            host, _, port = value.partition(':')
    else:
        validate.refuse('portal', value, 'give address:port')
    host = str(host or '').strip('[]')
    address = validate.ip_address('portal', host)
    host = f'[{address}]' if address.version == 6 else str(address)
    return {'host': host, 'port': validate.port('portal', port or 3260)}


def initiator(value: str) -> str:
    """An initiator's name, ``ANY``, or one of them with ``!`` before."""
    validate.text('initiator', value)
    name = value.removeprefix('!')
    if name.upper() == 'ANY':
        return value
    iscsi_name('initiator', name)
    return value


def netmask(value: str) -> str:
    """An address, a network, or ``ANY``.

    SPDK takes anything and then lets nobody in (seen on v26.05).
    """
    validate.text('netmask', value)
    if value.upper() == 'ANY':
        return value
    plain = value.replace('[', '').replace(']', '')
    try:
        ipaddress.ip_network(plain, strict=False)
    except ValueError:
        validate.refuse('netmask', value, 'give an address, a network such '
                        'as 10.0.0.0/8, or ANY')
    return value


def iscsi_name(name: str, value: str) -> str:
    """An iSCSI name, by the rules of lib/iscsi/tgt_node.c.

    check_iscsi_name(): 223 bytes; letters, digits, ``-``, ``.``, ``:``;
    ``iqn.`` is followed by ``YYYY-MM.``.
    """
    validate.text(name, value, validate.ISCSI_NAME_MAX)
    for character in value:
        if not (character.isalnum() or character in '-.:') and \
                ord(character) < 128:
            refused = 'a blank' if character == ' ' else repr(character)
            validate.refuse(name, value, f'{refused} is not allowed: use '
                            'letters, digits, "-", "." and ":"')
    if value.lower().startswith('iqn.') and not re.match(
            r'\d{4}-\d{2}\.', value[4:], re.ASCII):
        validate.refuse(name, value, 'give iqn.YYYY-MM.domain:name')
    return value


def tag(value: int, name: str = 'tag') -> int:
    """Number of a group."""
    return validate.integer(name, value, 0, TAG_MAX)


def check_chap(chap: Mapping[str, Any]) -> reported.Json:
    """The four settings of CHAP, as far as they are given, checked."""
    flags = ('disable_chap', 'require_chap', 'mutual_chap')
    unknown = sorted(set(chap) - {*flags, 'chap_group'})
    if unknown:
        validate.refuse('CHAP setting', unknown[0], 'use disable_chap, '
                        'require_chap, mutual_chap, chap_group')
    chap = {name: bool(value) if name in flags else tag(value, name)
            for name, value in chap.items() if value is not None}
    # lib/iscsi/tgt_node.c, iscsi_check_chap_params().
    if chap.get('disable_chap') and (
            chap.get('require_chap') or chap.get('mutual_chap')):
        validate.refuse('disable_chap', True, 'it excludes require_chap and '
                        'mutual_chap')
    if chap.get('mutual_chap') and not chap.get('require_chap'):
        validate.refuse('mutual_chap', True, 'it needs require_chap')
    return chap


def secret_of(user: str, secret: str, muser: str | None = None,
              msecret: str | None = None) -> dict[str, str]:
    """A CHAP secret in the form that is sent.

    :raises InvalidValue: without the secrets.
    """
    validate.text('user', user, 223)
    for what, value in (('secret', secret), ('msecret', msecret)):
        if what == 'msecret' and value is None:
            continue
        if not isinstance(value, str) or not value or len(value) > 255:
            validate.refuse(what, '***', 'give 1 to 255 characters')
    if (muser is None) != (msecret is None):
        validate.refuse('muser', muser, 'muser and msecret go together')
    given = {'user': user, 'secret': secret, 'muser': muser,
             'msecret': msecret}
    return {name: value for name, value in given.items()
            if value is not None}


def luns_of(luns: Luns) -> list[reported.Json]:
    """LUNs in the form that is sent.

    :param luns: names of bdevs, which become LUN 0, 1, ...; pairs of number
        and name; or a dict of number to name.
    """
    pairs: Iterable[Any] = luns.items() if isinstance(luns, Mapping) else (
        lun if isinstance(lun, (tuple, list)) else (number, lun)
        for number, lun in enumerate(luns))
    sent = [_lun(lun_id, bdev_name) for lun_id, bdev_name in pairs]
    numbers = [lun['lun_id'] for lun in sent]
    # lib/scsi/dev.c, spdk_scsi_dev_construct_ext().
    if 0 not in numbers:
        validate.refuse('luns', luns, 'there must be a LUN 0')
    if len(set(numbers)) != len(numbers):
        validate.refuse('luns', luns, 'a LUN is there twice')
    if len(sent) > validate.ISCSI_LUNS:
        validate.refuse('luns', len(sent), f'give {validate.ISCSI_LUNS} at '
                        'most; iscsi_target_node_add_lun adds more')
    return sent


def _lun(lun_id: int, bdev_name: str) -> reported.Json:
    validate.integer('lun_id', lun_id, 0, validate.SCSI_LUNS - 1)
    return {'bdev_name': validate.text('bdev', bdev_name), 'lun_id': lun_id}


def pairs_of(luns: Iterable[reported.Json]) -> list[tuple[int, str]]:
    """Number and bdev of LUNs in the form that is sent, in order."""
    return sorted((lun['lun_id'], lun['bdev_name']) for lun in luns)


def maps_of(pg_ig_maps: Maps) -> list[dict[str, int]]:
    """Maps in the form that is sent.

    :param pg_ig_maps: pairs of portal group and initiator group, or dicts
        of ``pg_tag`` and ``ig_tag``.
    """
    sent = [_map(each) for each in pg_ig_maps]
    if not sent:
        validate.refuse('pg_ig_maps', pg_ig_maps, 'give one at least')
    for each in sent:
        if sent.count(each) > 1:
            validate.refuse('pg_ig_maps', tuple(each.values()),
                            'it is there twice')
    return sent


def _map(pair: Any) -> dict[str, int]:
    if isinstance(pair, Mapping):
        pair = (pair.get('pg_tag'), pair.get('ig_tag'))
    if not isinstance(pair, (tuple, list)) or len(pair) != 2:
        validate.refuse('pg_ig_maps', pair, 'give (pg_tag, ig_tag)')
    return {'pg_tag': tag(pair[0], 'pg_tag'),
            'ig_tag': tag(pair[1], 'ig_tag')}


def flat(params: reported.Json) -> reported.Json:
    """The parameters as v18.01 had them: arrays side by side."""
    return {
        **flat_maps(params['pg_ig_maps']),
        'bdev_names': [lun['bdev_name'] for lun in params['luns']],
        'lun_ids': [lun['lun_id'] for lun in params['luns']],
        'chap_disabled': int(params.get('disable_chap', False)),
        'chap_required': int(params.get('require_chap', False)),
        'chap_mutual': int(params.get('mutual_chap', False)),
        'chap_auth_group': params.get('chap_group', 0),
        'header_digest': int(bool(params.get('header_digest'))),
        'data_digest': int(bool(params.get('data_digest')))}


def flat_maps(maps: Sequence[dict[str, int]]) -> dict[str, list[int]]:
    """Maps as v18.01 had them: arrays side by side."""
    return {'pg_tags': [each['pg_tag'] for each in maps],
            'ig_tags': [each['ig_tag'] for each in maps]}
