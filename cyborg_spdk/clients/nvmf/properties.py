# SPDX-License-Identifier: Apache-2.0

"""Properties of an NVM subsystem, checked before they are sent."""

from typing import Any

from cyborg_spdk.clients.types import reported
from cyborg_spdk.clients import validate

#: lib/nvmf/subsystem.c: what SPDK takes where none is given (v18.10).
#: v18.01 refuses a subsystem without a serial number, and v18.04 and
#: v18.07 read through a NULL pointer: those get this one.
SERIAL_NUMBER = '0' * validate.SERIAL_MAX


def checked(nqn: str, serial_number: str | None = None,
            model_number: str | None = None,
            max_namespaces: int | None = None, allow_any_host: bool = False,
            admin_label: str | None = None, **options: Any) -> reported.Json:
    """Properties of a subsystem that is to be created.

    The arguments are those of
    :func:`cyborg_spdk.clients.nvmf.subsystems.create`.

    :returns: dict of those properties that are read back: name to value,
        None where any will do.
    :raises InvalidValue: SPDK would not take one of them.
    """
    validate.nqn(nqn)
    if nqn == validate.DISCOVERY_NQN:
        validate.refuse('NQN', nqn, 'it is that of the discovery '
                        'subsystem, which SPDK makes itself')
    if serial_number is not None:
        validate.printable('serial_number', serial_number,
                           validate.SERIAL_MAX)
    if model_number is not None:
        validate.printable('model_number', model_number, validate.MODEL_MAX)
    if max_namespaces is not None:
        validate.integer('max_namespaces', max_namespaces, 1, 2 ** 32 - 1)
    if admin_label is not None:
        validate.printable('admin_label', admin_label, validate.LABEL_MAX,
                           validate.LABEL_MIN)
    _check_cntlids(options.get('min_cntlid'), options.get('max_cntlid'))
    return {'serial_number': serial_number, 'model_number': model_number,
            'max_namespaces': max_namespaces, 'admin_label': admin_label,
            'allow_any_host': bool(allow_any_host)}


def _check_cntlids(low: int | None, high: int | None) -> None:
    """Refuse a range of controller IDs that SPDK does not take.

    v26.05 and before answer an error to it, and leak the subsystem.
    """
    for name, value in (('min_cntlid', low), ('max_cntlid', high)):
        if value is not None:
            validate.integer(name, value, validate.CNTLID_MIN,
                             validate.CNTLID_MAX)
    if low is not None and high is not None and low > high:
        validate.refuse('max_cntlid', high,
                        f'it is less than min_cntlid {low}')
