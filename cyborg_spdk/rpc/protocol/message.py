# SPDX-License-Identifier: Apache-2.0

"""JSON-RPC messages to and from bytes; no I/O."""

from __future__ import annotations

import functools
import json
import re

from cyborg_spdk import exceptions
from cyborg_spdk import masking

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterator
    from collections.abc import Sequence
    from typing import Any

# Non-ASCII characters are sent as they are: shorter, and what is not
# Unicode (a lone surrogate) is found here instead of by the target, which
# would close the connection without a word. So would NaN.
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False,
                            separators=(",", ":"))
_DECODER = json.JSONDecoder()
_BLANKS = " \t\r\n"
_NOTHING = object()
#: From this many bytes on it pays to import another decoder.
_LARGE = 1024 * 1024


def encode(method: str, params: Any = None, call_id: int | None = None
           ) -> bytes:
    """One request, or a notification.

    :param method: name of the method.
    :param params: dict or list; None leaves the member out, which some
        methods insist on.
    :param call_id: int; None makes it a notification.
    :returns: bytes. Nothing separates requests: SPDK needs nothing, and
        a line feed left in its receive buffer would take room from the
        next request.
    :raises InvalidValue: if it cannot be written as JSON that SPDK reads.
    """
    try:
        if params is None:
            if call_id is not None and method.isidentifier():
                return (b'{"jsonrpc":"2.0","id":%d,"method":"%b"}'
                        % (call_id, method.encode()))
            body = ""
        else:
            body = f',"params":{_ENCODER.encode(params)}'
        call = "" if call_id is None else f'"id":{call_id},'
        data = (f'{{"jsonrpc":"2.0",{call}"method":{_ENCODER.encode(method)}'
                f'{body}}}').encode()
    except (TypeError, ValueError, RecursionError) as exc:
        # What is too deep to be written is too deep to be shown.
        raise exceptions.InvalidValue(
            f"params of {method}", masking.show(params),
            f"cannot be written as JSON for SPDK ({exc})") from None
    if params is not None and not isinstance(params, (dict, list, tuple)):
        raise exceptions.InvalidValue(
            f"params of {method}", params, "must be an object or a list")
    return data


def batch(messages: Sequence[bytes]) -> bytes:
    """Several requests as one JSON-RPC batch (SPDK v26.05 and later).

    :param messages: list of what :func:`encode` returned.
    :returns: bytes.
    """
    return b"[" + b",".join(messages) + b"]"


def nesting(data: bytes) -> int:
    """How deep objects and arrays lie inside of each other.

    :param data: bytes of a valid JSON text.
    :returns: depth; 1 for an object that holds none.
    """
    deepest = depth = 0
    for match in re.finditer(rb'"(?:[^"\\]|\\.)*"|[{\[]|[}\]]', data):
        first = match.group()[:1]
        if first in (b"{", b"["):
            depth += 1
            deepest = max(deepest, depth)
        elif first != b'"':
            depth -= 1
    return deepest


def value_count(data: bytes) -> int:
    """How many JSON values SPDK's parser counts in a text.

    It counts names, scalars, and both ends of objects and arrays.

    :param data: bytes of a valid JSON text.
    :returns: their number.
    """
    return sum(1 for _ in re.finditer(
        rb'"(?:[^"\\]|\\.)*"|[{}\[\]]|[^\s{}\[\]",:]+', data))


@functools.cache
def _fast_decoder() -> Callable[[bytes | bytearray], Any] | None:
    """Another decoder of JSON, if it is installed.

    msgspec takes less than the module json does (no NaN, no lone surrogate,
    no number that is too large for a float), and what it takes it reads in
    the same way: integers of any size, the last of several members of one
    name, the nearest float.
    """
    try:
        import msgspec
    except ImportError:
        return None
    return msgspec.json.Decoder().decode


class NotJson(ValueError):
    """What came is not JSON, or nothing that can be worked with."""


def decode(piece: bytes | bytearray) -> Iterator[Any]:
    """The JSON values in a piece of the stream, one after the other.

    :param piece: one or more JSON texts; a bytearray is empty afterwards.
    :returns: iterator over them.
    :raises NotJson: at the point where it is none.
    """
    fast = _fast_decoder() if len(piece) >= _LARGE else None
    if fast is not None:
        try:
            value = fast(piece)
        except Exception:
            # Whatever it is, json has the last word.
            value = _NOTHING
        if value is not _NOTHING:
            if isinstance(piece, bytearray):
                piece.clear()
            yield value
            return
    try:
        text = str(piece, "utf-8")
    except UnicodeDecodeError:
        # SPDK passes on what a device or a file name holds.
        text = str(piece, "utf-8", "surrogateescape")
    if isinstance(piece, bytearray):
        # The memory of a large reply is not held twice while it is parsed.
        piece.clear()
    at, end = 0, len(text)
    while True:
        while at < end and text[at] in _BLANKS:
            at += 1
        if at == end:
            return
        try:
            value, at = _DECODER.raw_decode(text, at)
        except RecursionError:
            raise NotJson("it is nested too deep") from None
        except ValueError:
            raise NotJson("what it sends is not JSON") from None
        yield value


def id_of_cut(data: bytes | bytearray) -> int | None:
    """The id of a reply that was cut.

    :param data: its first bytes.
    :returns: int, or None if it cannot be told.
    """
    match = re.match(rb'\s*\{"jsonrpc":"2.0","id":(\d+),', data)
    return int(match.group(1)) if match else None


def error_of(error: Any, method: str, params: Any) -> exceptions.RpcError:
    """The exception for the ``error`` member of a reply.

    :param error: the member as it came.
    :param method: the method that was called.
    :param params: its parameters.
    :returns: :class:`~cyborg_spdk.exceptions.RpcError`.
    """
    code: Any = 0
    text = error
    if isinstance(error, dict):
        code, text = error.get("code"), error.get("message", "")
    if not isinstance(text, str):
        # It may be nested deeper than str() goes.
        import reprlib
        text = reprlib.repr(text)
    return exceptions.rpc_error(code if isinstance(code, int) else 0, text,
                                method, params)
