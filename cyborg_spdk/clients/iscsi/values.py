# SPDX-License-Identifier: Apache-2.0

"""Values of iSCSI, checked and in the form that is sent."""

import ipaddress
import re

from cyborg_spdk.clients import types
from cyborg_spdk.clients import validate

#: Tags of groups are int32 (lib/iscsi).
TAG_MAX = 2 ** 31 - 1


def portal(value):
    """One portal, checked.

    :param value: ``"127.0.0.1:3260"``, ``"[::1]:3260"``, ``"127.0.0.1"``
        or dict of ``host`` and ``port``.
    :returns: dict of ``host`` and ``port`` as SPDK wants them.
    """
    if isinstance(value, types.Portal):
        value = {'host': value.host, 'port': value.port}
    if isinstance(value, dict):
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


def initiator(value):
    """An initiator's name, ``ANY``, or one of them with ``!`` before."""
    validate.text('initiator', value)
    name = value.removeprefix('!')
    if name.upper() == 'ANY':
        return value
    iscsi_name('initiator', name)
    return value


def netmask(value):
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


def iscsi_name(name, value):
    """An iSCSI name, by the rules of lib/iscsi/tgt_node.c.

    check_iscsi_name(): 223 bytes; letters, digits, ``-``, ``.``, ``:``;
    ``iqn.`` is followed by ``YYYY-MM.``.
    """
    validate.text(name, value, validate.ISCSI_NAME_MAX)
    for one in value:
        if not (one.isalnum() or one in '-.:') and ord(one) < 128:
            refused = 'a blank' if one == ' ' else repr(one)
            validate.refuse(name, value, f'{refused} is not allowed: use '
                            'letters, digits, "-", "." and ":"')
    if value.lower().startswith('iqn.') and not re.match(
            r'\d{4}-\d{2}\.', value[4:], re.ASCII):
        validate.refuse(name, value, 'give iqn.YYYY-MM.domain:name')
    return value


def tag(value, name='tag'):
    """Number of a group."""
    return validate.integer(name, value, 0, TAG_MAX)


def check_chap(chap):
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


def secret_of(user, secret, muser=None, msecret=None):
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


def luns_of(luns):
    """LUNs in the form that is sent."""
    if isinstance(luns, dict):
        pairs = list(luns.items())
    else:
        pairs = [one if isinstance(one, (tuple, list)) else (number, one)
                 for number, one in enumerate(luns)]
    found = []
    for lun_id, bdev_name in pairs:
        validate.integer('lun_id', lun_id, 0, validate.SCSI_LUNS - 1)
        found.append({'bdev_name': validate.text('bdev', bdev_name),
                      'lun_id': lun_id})
    numbers = [one['lun_id'] for one in found]
    # lib/scsi/dev.c, spdk_scsi_dev_construct_ext().
    if 0 not in numbers:
        validate.refuse('luns', luns, 'there must be a LUN 0')
    if len(set(numbers)) != len(numbers):
        validate.refuse('luns', luns, 'a LUN is there twice')
    if len(found) > validate.ISCSI_LUNS:
        validate.refuse('luns', len(found), f'give {validate.ISCSI_LUNS} at '
                        'most; iscsi_target_node_add_lun adds more')
    return found


def pairs_of(luns):
    return sorted((one['lun_id'], one['bdev_name']) for one in luns)


def maps_of(pg_ig_maps):
    """Maps in the form that is sent."""
    found = []
    for one in pg_ig_maps:
        if isinstance(one, dict):
            one = (one.get('pg_tag'), one.get('ig_tag'))
        if not isinstance(one, (tuple, list)) or len(one) != 2:
            validate.refuse('pg_ig_maps', one, 'give (pg_tag, ig_tag)')
        found.append({'pg_tag': tag(one[0], 'pg_tag'),
                      'ig_tag': tag(one[1], 'ig_tag')})
    if not found:
        validate.refuse('pg_ig_maps', pg_ig_maps, 'give one at least')
    for one in found:
        if found.count(one) > 1:
            validate.refuse('pg_ig_maps', tuple(one.values()),
                            'it is there twice')
    return found


def flat(params):
    """The parameters as v18.01 had them: arrays side by side."""
    return {
        'pg_tags': [one['pg_tag'] for one in params['pg_ig_maps']],
        'ig_tags': [one['ig_tag'] for one in params['pg_ig_maps']],
        'bdev_names': [one['bdev_name'] for one in params['luns']],
        'lun_ids': [one['lun_id'] for one in params['luns']],
        'chap_disabled': int(params.get('disable_chap', False)),
        'chap_required': int(params.get('require_chap', False)),
        'chap_mutual': int(params.get('mutual_chap', False)),
        'chap_auth_group': params.get('chap_group', 0),
        'header_digest': int(bool(params.get('header_digest'))),
        'data_digest': int(bool(params.get('data_digest')))}
