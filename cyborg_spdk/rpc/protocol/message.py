# SPDX-License-Identifier: Apache-2.0

"""JSON-RPC messages to and from bytes; no I/O."""

import json
import re

from cyborg_spdk import exceptions

# Non-ASCII characters are sent as they are: shorter, and what is not
# Unicode (a lone surrogate) is found here instead of by the target, which
# would close the connection without a word. So would NaN.
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False,
                            separators=(",", ":"))
_DECODER = json.JSONDecoder()
_BLANKS = re.compile(r"[ \t\r\n]*")


def encode(method, params=None, call_id=None):
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
        # Only a mistake needs it. What is too deep to be written is too
        # deep to be shown.
        import reprlib
        raise exceptions.InvalidValue(
            f"params of {method}", reprlib.repr(params),
            f"cannot be written as JSON for SPDK ({exc})") from None
    if params is not None and not isinstance(params, (dict, list, tuple)):
        raise exceptions.InvalidValue(
            f"params of {method}", params, "must be an object or a list")
    return data


def batch(messages):
    """Several requests as one JSON-RPC batch (SPDK v26.05 and later).

    :param messages: list of what :func:`encode` returned.
    :returns: bytes.
    """
    return b"[" + b",".join(messages) + b"]"


def nesting(data):
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


def value_count(data):
    """How many JSON values SPDK's parser counts in a text.

    It counts names, scalars, and both ends of objects and arrays.

    :param data: bytes of a valid JSON text.
    :returns: their number.
    """
    return sum(1 for _ in re.finditer(
        rb'"(?:[^"\\]|\\.)*"|[{}\[\]]|[^\s{}\[\]",:]+', data))


def decode(piece):
    """The JSON values in a piece of the stream, one after the other.

    :param piece: bytes or bytearray with one or more JSON texts.
    :returns: iterator over them.
    :raises ValueError: at the point where it is no JSON.
    """
    try:
        text = str(piece, "utf-8")
    except UnicodeDecodeError:
        # SPDK passes on what a device or a file name holds.
        text = str(piece, "utf-8", "surrogateescape")
    if isinstance(piece, bytearray):
        # The memory of a large reply is not held twice while it is parsed.
        piece.clear()
    at, end = 0, len(text)
    while at < end:
        value, at = _DECODER.raw_decode(text, at)
        yield value
        if at < end:
            at = _BLANKS.match(text, at).end()


_ID = re.compile(rb'\s*\{"jsonrpc":"2.0","id":(\d+),')


def id_of_cut(data):
    """The id of a reply that was cut.

    :param data: its first bytes.
    :returns: int, or None if it cannot be told.
    """
    match = _ID.match(data)
    return int(match.group(1)) if match else None


def error_of(error, method, params):
    """The exception for the ``error`` member of a reply.

    :param error: the member as it came.
    :param method: the method that was called.
    :param params: its parameters.
    :returns: :class:`~cyborg_spdk.exceptions.RpcError`.
    """
    if not isinstance(error, dict):
        return exceptions.rpc_error(0, str(error), method, params)
    code = error.get("code")
    if not isinstance(code, int):
        code = 0
    return exceptions.rpc_error(code, str(error.get("message", "")), method,
                                params)
