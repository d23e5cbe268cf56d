# SPDX-License-Identifier: Apache-2.0

"""The client behind the commands of rpc.py: its interface, our connections.

What it raises has the text that rpc.py prints.
"""

from __future__ import annotations

import copy
import functools
import importlib
import json
import logging
import os
import socket
import time

from cyborg_spdk import exceptions
from cyborg_spdk import loggers
from cyborg_spdk import rpc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from cyborg_spdk.rpc import address as addresses
    from cyborg_spdk.rpc import client as clients

#: rpc.py waits this long (seconds) if nothing else is said.
_TIMEOUT = 60.0
_RETRY_PAUSE = 0.2

_LOG = loggers.get("cyborg_spdk.rpc_server")


@functools.cache
def failure() -> Any:
    """rpc.py's own exception, which its commands know."""
    return importlib.import_module("spdk.rpc.client").JSONRPCException


def connect(text: str, port: int, timeout: float | None, retries: int,
            level: int) -> CommandClient:
    """A client for one command line.

    :param text: its ``-s``.
    :param port: its ``-p``, for an IP address.
    :param timeout: its ``-t`` in seconds, or None.
    :param retries: its ``-r``.
    :param level: level of logging, from its ``-v``.
    :returns: :class:`CommandClient`.
    """
    _set_level(level)
    while True:
        try:
            return CommandClient(_connect(text, port), timeout)
        except failure():
            if retries <= 0:
                raise
        retries -= 1
        time.sleep(_RETRY_PAUSE)


def _set_level(level: int) -> None:
    if not _LOG.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
        _LOG.addHandler(handler)
        _LOG.propagate = False
    _LOG.setLevel(level)
    _LOG.info("Log level set to %s", level)


def _connect(text: str, port: int) -> clients.Client:
    try:
        return rpc.connect(_address(text, port))
    except exceptions.ConnectError as exc:
        details = exc.reason
        if exc.errno:
            details = f"[Errno {exc.errno}] {os.strerror(exc.errno)}"
    except exceptions.InvalidAddress:
        details = f"Invalid or non-existing address: '{text}'"
    raise failure()(f"Error while connecting to {text}\n"
                    "Is SPDK application running?\n"
                    f"Error details: {details}")


def _address(text: str, port: int) -> addresses.Address:
    if text.startswith(("ssh://", "tcp://", "unix:")):
        return rpc.parse_address(text)
    for family, form in ((socket.AF_INET, "tcp://{}:{}"),
                         (socket.AF_INET6, "tcp://[{}]:{}")):
        try:
            socket.inet_pton(family, text)
        except OSError:
            continue
        return rpc.parse_address(form.format(text, port))
    if not os.path.exists(text):
        raise exceptions.InvalidAddress(text, "there is no such socket")
    return rpc.parse_address(os.path.abspath(text))


class CommandClient:
    """What a command of rpc.py sees as its client.

    :ivar timeout: seconds for each call; commands may set it.
    """

    def __init__(self, client: clients.Client,
                 timeout: float | None) -> None:
        self._client = client
        self.timeout = _TIMEOUT if timeout is None else timeout
        self._calls = 0

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda **params: self.call(
            name, {key: value for key, value in params.items()
                   if value is not None})

    def get_logger(self) -> logging.Logger:
        """The logger that ``-v`` switches on."""
        return _LOG

    def set_log_level(self, level: int | str) -> None:
        """Set the level of logging."""
        _LOG.setLevel(level)

    def peer(self) -> tuple[int, int, int] | None:
        """Which process answers: ``(pid, uid, gid)``, or None."""
        return self._client.peer()

    def close(self) -> None:
        """Nothing: the connection is kept for the next command."""

    def call_batch(self, batch: list[dict[str, Any]]) -> list[Any]:
        """Call one after the other, as rpc.py does outside its batch mode.

        :param batch: list of dicts with ``method`` and ``params``.
        :returns: list of results.
        """
        return [self.call(**one) for one in batch]

    def call(self, method: str, params: dict[str, Any] | None = None) -> Any:
        """Call a method.

        :param method: its name as the target has it.
        :param params: dict, or None.
        :returns: the result.
        :raises JSONRPCException: with the text that rpc.py prints.
        """
        params = {} if params is None else params
        if self.timeout <= 0:
            raise failure()(f"Timeout value is invalid: {self.timeout}\n")
        self._calls += 1
        request = {"jsonrpc": "2.0", "method": method, "id": self._calls}
        if params:
            request["params"] = copy.deepcopy(params)
        if _LOG.isEnabledFor(logging.INFO):
            _LOG.info("Requests:\n%s\n", json.dumps(request, indent=2))
        reply = self._exchange(method, request)
        if _LOG.isEnabledFor(logging.INFO):
            _LOG.info("response:\n%s\n", json.dumps(
                {**reply, "id": self._calls}, indent=2))
        if "error" in reply:
            params["method"] = method
            params["req_id"] = self._calls
            raise failure()("\n".join([
                "request:", json.dumps(params, indent=2),
                "Got JSON-RPC error response",
                "response:", json.dumps(reply["error"], indent=2)]))
        return reply["result"]

    def _exchange(self, method: str,
                  request: dict[str, Any]) -> dict[str, Any]:
        try:
            return self._client.exchange(method, request.get("params"),
                                         self.timeout)
        except exceptions.RpcTimeout:
            text = "Timeout while waiting for response:\n\n"
        except (exceptions.ConnectionLost, exceptions.ReplyTooLarge):
            # A target that is told to end may do so before it replies.
            if method == "spdk_kill_instance":
                return {"result": {}}
            text = "Connection closed with partial response:\n\n"
        except exceptions.SpdkError as exc:
            text = f"{exc}"
        raise failure()(text)
