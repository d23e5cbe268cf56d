# SPDX-License-Identifier: Apache-2.0

"""Cyborg's and Placement's limits on a report, and who keeps them.

Each limit was read in Cyborg's models (``cyborg/db/sqlalchemy/models.py``)
or in Placement's schemas, and what happens beyond it was seen on MariaDB. A
value beyond a limit never leaves this host: the unit is dropped, and said so.
"""

import json
import re
import typing

from cyborg_spdk import exceptions

if typing.TYPE_CHECKING:
    from cyborg_spdk.drivers.report import entries

#: ``resource_providers.name``: 200 characters (Placement).
PROVIDER_NAME = 200
#: ``attach_handles.attach_info``, ``controlpath_ids.cpid_info``,
#: ``devices.vendor``, ``devices.model``: 255 (Cyborg).
SHORT_TEXT = 255
#: ``devices.std_board_info``, ``vendor_board_info``: TEXT, 65,535 bytes;
#: some room is left.
BOARD_INFO = 60000
#: Custom traits and resource classes: 255 characters (Placement).
SYMBOL = 255
#: What Cyborg's own pci and nvidia drivers give their providers, so that
#: Nova's own devices and Cyborg's are told apart
#: (``cyborg/common/constants.py``): the one trait that is not ``CUSTOM_``.
OWNER = 'OWNER_CYBORG'

_NAME = re.compile(r'[a-z0-9_-]+\Z')
_SYMBOL = re.compile(r'CUSTOM_[A-Z0-9_]+\Z')


def provider_name(name: str) -> None:
    """Refuse a name that Placement would not take for a provider.

    :raises InvalidValue: if it is no such name.
    """
    if not _NAME.match(name) or len(name) > PROVIDER_NAME:
        raise exceptions.InvalidValue(
            'provider name', name,
            f'1 to {PROVIDER_NAME} of a-z, 0-9, "_" and "-"')


def symbol(what: str, name: str) -> None:
    """Refuse a name that Placement would not take for a trait or a class.

    :param what: ``"trait"`` or ``"resource class"``, for the message.
    :raises InvalidValue: if it is no such name.
    """
    if not _SYMBOL.match(name) or len(name) > SYMBOL:
        raise exceptions.InvalidValue(
            what, name, f'CUSTOM_ and capital letters, digits and "_", at '
                        f'most {SYMBOL} characters')


def trait(name: str) -> None:
    """Refuse a name that is no trait of ours.

    :raises InvalidValue: if it is no such name.
    """
    if name != OWNER:
        symbol('trait', name)


def flat(what: str, text: str) -> None:
    """Refuse a control path or an attach handle that Cyborg cannot keep.

    :param what: ``"attach handle"`` or ``"control path"``.
    :param text: JSON.
    :raises InvalidValue: if it is over-long or not a flat object of
        strings. A nested one can be reported, but its bind fails, and then
        so does listing any accelerator request.
    """
    if len(text.encode()) > SHORT_TEXT:
        raise exceptions.InvalidValue(
            what, text, f'Cyborg keeps {SHORT_TEXT} bytes; use shorter '
                        'names (NQN, IQN or socket path)')
    value = json.loads(text)
    if not isinstance(value, dict) or not all(
            isinstance(item, str) for item in value.values()):
        raise exceptions.InvalidValue(what, text,
                                      'it must be a flat object of strings')


def unit(entry: 'entries.Entry') -> None:
    """Refuse an entry of a report that Cyborg or Placement would not take.

    :param entry: a :class:`~cyborg_spdk.drivers.report.entries.Entry`.
    :raises InvalidValue: naming the first value that does not fit.
    """
    provider_name(entry.name)
    flat('attach handle', entry.handle)
    symbol('resource class', entry.resource_class)
    for name in entry.traits:
        trait(name)
