# SPDX-License-Identifier: Apache-2.0

"""Parameters of RPC calls as a command line or a batch file gives them."""

from __future__ import annotations

import json
import sys

from cyborg_spdk import exceptions
from cyborg_spdk import rpc
from cyborg_spdk.rpc.protocol import parameters

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any
    from typing import NoReturn


def parse_params(method: str, words: list[str]) -> dict[str, Any]:
    """Parse ``key=value`` words.

    :param method: the method that they are for.
    :param words: the words.
    :returns: dict of parameters.
    :raises InvalidValue: naming the word that cannot be used.
    """
    params: dict[str, Any] = {}
    for word in words:
        key, equals, text = word.partition("=")
        is_json = key.endswith(":")
        key = key.removesuffix(":")
        if not equals or not key:
            raise exceptions.InvalidValue(
                "parameter", word, "write it as key=value")
        _store(params, word, key, _value(
            word, text, is_json, _is_text(method, key)))
    return params


def _is_text(method: str, key: str) -> bool:
    """Whether SPDK takes a parameter as text, whatever it looks like."""
    known = parameters.of(method)
    if known is not None and key in known:
        return known[key].shape == "string"
    from cyborg_spdk.rpc.protocol import catalogue
    return key.rpartition(".")[2] in catalogue.text_params()


def _value(word: str, text: str, is_json: bool, is_text: bool) -> Any:
    if is_text and not is_json:
        return text
    try:
        return json.loads(text, parse_constant=_no_constant)
    except ValueError as exc:
        if is_json or text[:1] in ("{", "["):
            raise exceptions.InvalidValue(
                "parameter", word, f"its value is not JSON ({exc}); mind "
                "the shell's quotes") from None
        return text


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _store(params: dict[str, Any], word: str, key: str,
           value: Any) -> None:
    *outer, last = key.split(".")
    for name in outer:
        params = params.setdefault(name, {})
        if not isinstance(params, dict):
            raise exceptions.InvalidValue(
                "parameter", word, f"{name} has a value of its own already")
    if last in params:
        raise exceptions.InvalidValue("parameter", word,
                                      f"{key} is given twice")
    params[last] = value


def read_batch(path: str, timeout: float | None) -> list[rpc.Request]:
    """Read a batch file.

    :param path: its path; ``-`` is standard input.
    :param timeout: seconds for each call, or None.
    :returns: the calls.
    :raises InvalidValue: naming the line that cannot be used.
    """
    try:
        if path == "-":
            lines = sys.stdin.read().splitlines()
        else:
            with open(path, encoding="utf-8") as file:
                lines = file.read().splitlines()
    except OSError as exc:
        raise exceptions.InvalidValue(
            "batch file", path, f"cannot be read: {exc.strerror}") from None
    except UnicodeDecodeError:
        raise exceptions.InvalidValue(
            "batch file", path, "it is not text in UTF-8") from None
    requests = []
    for number, line in enumerate(lines, 1):
        line = line.strip()
        if line and not line.startswith("#"):
            requests.append(_request(f"line {number} of {path}", line,
                                     timeout))
    return requests


def _request(where: str, line: str, timeout: float | None) -> rpc.Request:
    if line.startswith("{"):
        try:
            call = json.loads(line)
        except ValueError as exc:
            raise exceptions.InvalidValue(
                where, line, f"it is not JSON ({exc})") from None
        method, params = call.get("method"), call.get("params")
        if not isinstance(method, str) or not (
                params is None or isinstance(params, (dict, list))):
            raise exceptions.InvalidValue(
                where, line, 'a call is {"method": "name", "params": {}}')
        return rpc.Request(method, params or None, timeout)
    # Costs time to import, and a call on the command line is split already.
    import shlex
    try:
        words = shlex.split(line)
    except ValueError as exc:
        raise exceptions.InvalidValue(where, line, str(exc)) from None
    method, *params = words
    return rpc.Request(method, parse_params(method, params) or None, timeout)
