# SPDX-License-Identifier: Apache-2.0

"""Parameters of RPC calls as a command line or a batch file gives them."""

import json
import shlex
import sys

from cyborg_spdk import exceptions
from cyborg_spdk import rpc
from cyborg_spdk.rpc.protocol import catalogue


def parse_params(words):
    """Parse ``key=value`` words.

    :param words: list of str.
    :returns: dict of parameters.
    :raises InvalidValue: naming the word that cannot be used.
    """
    params = {}
    for word in words:
        key, equals, text = word.partition("=")
        is_json = key.endswith(":")
        key = key.removesuffix(":")
        if not equals or not key:
            raise exceptions.InvalidValue(
                "parameter", word, "write it as key=value")
        _store(params, word, key, _value(word, key, text, is_json))
    return params


def _value(word, key, text, is_json):
    if not is_json and key.rpartition(".")[2] in catalogue.text_params():
        return text
    try:
        return json.loads(text, parse_constant=_no_constant)
    except ValueError as exc:
        if is_json or text[:1] in ("{", "["):
            raise exceptions.InvalidValue(
                "parameter", word, f"its value is not JSON ({exc}); mind "
                "the shell's quotes") from None
        return text


def _no_constant(name):
    raise ValueError(f"{name} is not JSON")


def _store(params, word, key, value):
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


def read_batch(path, timeout):
    """Read a batch file.

    :param path: its path; ``-`` is standard input.
    :param timeout: seconds for each call, or None.
    :returns: list of :class:`cyborg_spdk.rpc.Request`.
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


def _request(where, line, timeout):
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
    try:
        words = shlex.split(line)
    except ValueError as exc:
        raise exceptions.InvalidValue(where, line, str(exc)) from None
    return rpc.Request(words[0], parse_params(words[1:]) or None, timeout)
