# SPDX-License-Identifier: Apache-2.0

"""RPC addresses: parsed once, compared and printed in one form.

=============================== =======================================
``/path``, ``unix:/path``       UNIX socket on this machine
``tcp://host:port``,            TCP; the port is 5260 if left out. SPDK
``host:port``, ``[::1]:5260``   itself listens on TCP up to v20.04; later
                                releases are reached so through a forwarder
``ssh://user@host:port/path``   UNIX socket on another machine, through
                                OpenSSH; user and port may be left out
=============================== =======================================
"""

from __future__ import annotations

import collections

from cyborg_spdk import exceptions

# Importing typing would cost a command line more than anything here.
TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    from typing import NamedTuple
    from typing import TypeAlias

    class _Address(NamedTuple):
        scheme: str
        path: str | None
        host: str | None = None
        port: int | None = None
        user: str | None = None

    #: An address as callers may give it.
    AddressLike: TypeAlias = "str | os.PathLike[str] | Address"
else:
    _Address = collections.namedtuple(
        "Address", "scheme path host port user", defaults=(None, None, None))

#: Port of SPDK's RPC server while it listened on TCP (up to v20.04).
DEFAULT_PORT = 5260

#: ``sun_path`` of Linux has 108 bytes, the last of them a NUL.
MAX_PATH = 107

FORMS = "/path, unix:/path, tcp://host:port or ssh://user@host:port/path"

_HOST_CHARACTERS = frozenset(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:%")
_USER_CHARACTERS = _HOST_CHARACTERS - {":", "%"} | {"+", "$", "@"}


class Address(_Address):
    """Where a target listens for RPCs; immutable and hashable.

    :ivar scheme: ``"unix"``, ``"tcp"`` or ``"ssh"``.
    :ivar path: path of the socket (unix, ssh), else None.
    :ivar host: name or IP address (tcp, ssh), else None.
    :ivar port: TCP port (tcp; ssh, where None means ssh's own default).
    :ivar user: user on the other machine (ssh), or None.
    """

    __slots__ = ()

    def __str__(self) -> str:
        if self.scheme == "unix":
            return self.path or ""
        host = self.host or ""
        if ":" in host:
            host = f"[{host}]"
        if self.scheme == "tcp":
            return f"tcp://{host}:{self.port}"
        user = f"{self.user}@" if self.user else ""
        port = f":{self.port}" if self.port else ""
        return f"ssh://{user}{host}{port}{self.path}"


def parse_address(text: AddressLike) -> Address:
    """Parse an RPC address.

    :param text: one of the forms above, or an :class:`Address`, which is
        returned as it is.
    :returns: :class:`Address`.
    :raises InvalidAddress: if it is none of them.
    """
    if isinstance(text, Address):
        return text
    if not isinstance(text, str) and hasattr(text, "__fspath__"):
        text = text.__fspath__()
    if not isinstance(text, str):
        raise exceptions.InvalidAddress(text, f"use {FORMS}")
    if not text or text != text.strip():
        raise exceptions.InvalidAddress(
            text, f"it is empty or has blanks around it; use {FORMS}")
    if text.startswith("ssh://"):
        return _ssh(text)
    if text.startswith("tcp://"):
        return _tcp(text, text[6:])
    if text.startswith("unix:"):
        path = text[5:]
        if path.startswith("//"):
            path = path[2:]
        return _unix(text, path)
    if text.startswith("/"):
        return _unix(text, text)
    if "/" not in text and ":" in text:
        return _tcp(text, text)
    raise exceptions.InvalidAddress(text, f"use {FORMS}")


def _unix(text: str, path: str) -> Address:
    if not path.startswith("/"):
        raise exceptions.InvalidAddress(
            text, "the path of a UNIX socket must be absolute: begin it "
            "with /")
    _check_path(text, path)
    if len(path.encode("utf-8", "surrogateescape")) > MAX_PATH:
        raise exceptions.InvalidAddress(
            text, f"the path of a UNIX socket has at most {MAX_PATH} bytes; "
            "use a shorter one")
    return Address("unix", _plain(path))


def _plain(path: str) -> str:
    # "..": left as it is, since a symbolic link may be before it.
    return "/" + "/".join(part for part in path.split("/")
                          if part not in ("", "."))


def _check_path(text: str, path: str) -> None:
    if "\0" in path or "\n" in path:
        raise exceptions.InvalidAddress(
            text, "a path holds no NUL and no line feed")
    if path.endswith("/"):
        raise exceptions.InvalidAddress(
            text, "it names a directory; give the path of the socket")


def _tcp(text: str, rest: str) -> Address:
    host, port = _host_port(text, rest.rstrip("/"))
    return Address("tcp", None, host, DEFAULT_PORT if port is None else port)


def _ssh(text: str) -> Address:
    host, slash, path = text[6:].partition("/")
    if not path:
        raise exceptions.InvalidAddress(
            text, "the path of the socket is missing; use "
            "ssh://user@host:port/path")
    _check_path(text, "/" + path)
    if "${" in path:
        # OpenSSH would put an environment variable there.
        raise exceptions.InvalidAddress(text, "a path behind ssh holds no "
                                        "${")
    user, at, host = host.rpartition("@")
    # A leading "-" would be an option to ssh.
    if at and (not user or user.startswith("-")
               or not _USER_CHARACTERS.issuperset(user)):
        raise exceptions.InvalidAddress(
            text, f"{user!r} is not a user name; use "
            "ssh://user@host:port/path")
    host, port = _host_port(text, host)
    return Address("ssh", _plain(path), host, port,
                   user or None)


def _host_port(text: str, rest: str) -> tuple[str, int | None]:
    if rest.startswith("["):
        host, bracket, behind = rest[1:].partition("]")
        if not bracket or ":" not in host or behind[:1] not in ("", ":"):
            raise exceptions.InvalidAddress(
                text, "write an IPv6 address as [address]:port")
        port = behind[1:] if behind else None
    else:
        host, colon, behind = rest.partition(":")
        if ":" in behind:
            raise exceptions.InvalidAddress(
                text, "write an IPv6 address as [address]:port")
        port = behind if colon else None
    if not host or host.startswith("-") \
            or not _HOST_CHARACTERS.issuperset(host):
        raise exceptions.InvalidAddress(
            text, f"{host!r} is not a host name or an IP address")
    if port is None:
        return host, None
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise exceptions.InvalidAddress(
            text, f"the port is a number from 1 to 65535, not {port!r}")
    return host, int(port)
