# SPDX-License-Identifier: Apache-2.0

"""An lvol and another bdev that a call is to bring together."""

from collections.abc import Sequence
import dataclasses

from cyborg_spdk.clients import base
from cyborg_spdk.clients.bdev import bdevs
from cyborg_spdk.clients import errors
from cyborg_spdk.clients import types
from cyborg_spdk.clients import validate
from cyborg_spdk import exceptions


@dataclasses.dataclass(frozen=True)
class Pair:
    """What is there before the call.

    :ivar method: the call.
    :ivar lvol: the lvol.
    :ivar other: the other bdev.
    :ivar bdevs: all that there are.
    """

    method: str
    lvol: types.Bdev
    other: types.Bdev
    bdevs: Sequence[types.Bdev]


def read(client: base.Caller, method: str, lvol_name: str,
         other_name: str) -> Pair:
    """Look for the two.

    :raises MethodNotFound: the release has no such call.
    :raises NotFound: one of the two does not exist, or the first is no
        lvol.
    """
    validate.text('lvol', lvol_name)
    validate.text('bdev', other_name)
    if not client.rpc.has(method):
        base.call(client, method)               # tells since when SPDK has it
    known = bdevs.get(client)
    lvol = _named(known, method, lvol_name, lvol_name)
    other = _named(known, method, other_name, lvol_name)
    if lvol.kind.name != 'lvol':
        raise errors.missing(
            method, {'lvol_name': lvol_name}, f'bdev {lvol_name!r} is no '
            f'lvol bdev but a {lvol.product_name!r}')
    return Pair(method, lvol, other, known)


def _named(known: Sequence[types.Bdev], method: str, name: str,
           lvol_name: str) -> types.Bdev:
    bdev = bdevs.named(known, name)
    if bdev is None:
        raise errors.missing(method, {'lvol_name': lvol_name},
                             f'bdev {name!r} does not exist')
    return bdev


def unfit(method: str, detail: str) -> exceptions.InvalidParams:
    """The error for what SPDK would not take, or not survive."""
    return errors.invalid(method, None, f'{detail}; it was not sent')
