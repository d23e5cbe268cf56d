# SPDX-License-Identifier: Apache-2.0

"""libvirt: running domains, disks in and out of them, events.

The only module that imports libvirt's binding. No call of it is waited for
without an end.
"""

from collections.abc import Callable
import pwd
import threading
from typing import Any
from typing import TypeVar

from oslo_config import cfg

from cyborg_spdk import exceptions
from cyborg_spdk import loggers
from cyborg_spdk.service import options
from cyborg_spdk.service.plug import calls
from cyborg_spdk.service.plug import domain_xml

LOG = loggers.get(__name__)

#: Called with the UUID of a domain that something happened to.
Listener = Callable[[str], None]

# Seconds that libvirt may take to tell of its domains: more than it takes to
# notice that libvirtd does not answer (_KEEP_ALIVE).
_LOOK = 20.0

#: Seconds that a disk may take to get into a domain, or out of it: a guest
#: that does not let go of one is waited for by libvirt for 5 s.
CHANGE = 10.0

# Seconds between two signs of life of libvirtd, and how many may be missing.
_KEEP_ALIVE = 5, 3

_DEAF = 'libvirtd does not answer; restart it (domains stay as they are)'
_HANGS = ('domain {}: QEMU does not answer libvirt; it may wait for a target '
          'that does not answer: restart that target, or hard reboot the '
          'instance')

# Milliseconds after which a call of somebody else seems to hang.
_OCCUPIED = 5000

_Answer = TypeVar('_Answer')

_loop: threading.Thread | None = None


def _binding() -> Any:
    try:
        import libvirt
    except ImportError:
        raise exceptions.ConfigurationError(
            f'[{options.GROUP}] duties', 'plug',
            "it needs libvirt's binding: pip install cyborg-spdk[libvirt], "
            'or the distribution\'s python3-libvirt') from None
    return libvirt


def _run_events(libvirt: Any) -> None:
    """Start the thread that takes libvirt's events; once in a process."""
    global _loop
    if _loop is None:
        libvirt.virEventRegisterDefaultImpl()
        # Else every error is written to standard error, too.
        libvirt.registerErrorHandler(lambda _context, _error: None, None)
        _loop = threading.Thread(target=_events, args=(libvirt,),
                                 name='libvirt-events', daemon=True)
        _loop.start()


def _events(libvirt: Any) -> None:
    while True:
        libvirt.virEventRunDefaultImpl()


class Hypervisor:
    """The domains of this host. Blocks.

    Connects when it is needed, and again when libvirtd has gone.

    :param conf: the configuration.
    :param listener: told of every event of a domain, in a thread of
        libvirt's; or None.
    :raises ConfigurationError: if libvirt's binding is not installed.
    """

    def __init__(self, conf: cfg.ConfigOpts,
                 listener: Listener | None = None) -> None:
        self._libvirt = _binding()
        self._uri = conf[options.GROUP].libvirt_uri
        self._listener = listener
        self._connection: Any = None
        self._callbacks: list[int] = []
        self._calls = calls.Calls()
        self._qemu_user: str | None = conf[options.GROUP].qemu_user

    def running(self) -> list[domain_xml.Domain]:
        """The running domains, those that are paused included.

        :raises HypervisorError: if libvirt does not answer.
        """
        return self._look(self._running)

    def known(self) -> frozenset[str]:
        """UUIDs of all domains, those that are shut off included.

        :raises HypervisorError: if libvirt does not answer.
        """
        return self._look(lambda: frozenset(
            domain.UUIDString() for domain in
            self._connect().listAllDomains(0)))

    def version(self) -> int:
        """libvirt's version: 11003000 is 11.3.0.

        :raises HypervisorError: if libvirt does not answer.
        """
        return self._look(lambda: int(self._connect().getLibVersion()))

    def security_models(self) -> tuple[str, ...]:
        """What confines QEMU: for example ``("apparmor", "dac")``.

        :raises HypervisorError: if libvirt does not answer.
        """
        return domain_xml.security_models(self._capabilities())

    def _capabilities(self) -> str:
        return self._look(lambda: str(self._connect().getCapabilities()))

    def qemu_user(self) -> str:
        """Name of the user that QEMU runs as.

        :raises HypervisorError: if libvirt does not tell, or not answer.
        """
        if self._qemu_user is None:
            uid = domain_xml.qemu_uid(self._capabilities())
            try:
                self._qemu_user = pwd.getpwuid(uid if uid is not None
                                               else -1).pw_name
            except (KeyError, OverflowError):
                raise exceptions.HypervisorError(
                    'libvirt does not tell which user QEMU runs as; set '
                    f'[{options.GROUP}] qemu_user') from None
        return self._qemu_user

    def changing(self, uuid: str) -> bool:
        """Whether a disk may be on its way into a domain, or out of it.

        Also by a call of a service that was ended meanwhile.

        :param uuid: the domain's UUID.
        :raises HypervisorError: if libvirt does not answer.
        """
        return self._calls.going(uuid) or self._busy(uuid) > 0

    def check(self, uuid: str) -> None:
        """See that nothing hangs in a domain: then it takes no disk.

        libvirt itself would wait for 30 s.

        :param uuid: the domain's UUID.
        :raises HypervisorError: if something does.
        """
        if self._calls.going(uuid) or self._busy(uuid) > _OCCUPIED:
            raise exceptions.HypervisorError(_HANGS.format(uuid))

    def attach(self, uuid: str, xml: str) -> None:
        """Plug a disk into a running domain.

        :param uuid: the domain's UUID.
        :param xml: the disk.
        :raises HypervisorError: with libvirt's reason.
        """
        self._change(uuid, 'attachDeviceFlags', xml)

    def detach(self, uuid: str, alias: str) -> None:
        """Ask for a disk to be taken out of a running domain.

        That it returns is no proof: a guest that is not up yet does not
        hear it, so the domain is to be looked at.

        :param uuid: the domain's UUID.
        :param alias: alias of the disk.
        :raises HypervisorError: with libvirt's reason.
        """
        self._change(uuid, 'detachDeviceAlias', alias)

    def close(self) -> None:
        """End the connection."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        callbacks, self._callbacks = self._callbacks, []

        def end() -> None:
            for number in callbacks:
                connection.domainEventDeregisterAny(number)
            connection.close()

        try:
            self._calls.do('the end of a connection', _LOOK, _DEAF, end)
        except (self._libvirt.libvirtError, exceptions.HypervisorError):
            LOG.debug('libvirt had gone')

    def _look(self, function: Callable[[], _Answer]) -> _Answer:
        try:
            return self._calls.do('its domains', _LOOK, _DEAF, function)
        except self._libvirt.libvirtError as exc:
            raise self._failed(exc) from None

    def _running(self) -> list[domain_xml.Domain]:
        found = []
        for domain in self._connect().listAllDomains(
                self._libvirt.VIR_CONNECT_LIST_DOMAINS_ACTIVE):
            try:
                found.append(domain_xml.parse(domain.XMLDesc(0)))
            except self._libvirt.libvirtError as exc:
                if not self._gone(exc):
                    raise
        return found

    def _change(self, uuid: str, method: str, argument: str) -> None:
        self.check(uuid)
        try:
            self._calls.do(
                uuid, CHANGE, _HANGS.format(uuid),
                lambda: self._call(uuid, method, argument))
        except self._libvirt.libvirtError as exc:
            raise self._failed(exc) from None

    def _call(self, uuid: str, method: str, argument: str) -> None:
        """On a connection of its own.

        libvirtd answers five calls of a connection at a time
        ("max_client_requests"): those that hang must not keep the others.
        """
        connection = self._open()
        try:
            domain = connection.lookupByUUIDString(uuid)
            getattr(domain, method)(
                argument, self._libvirt.VIR_DOMAIN_AFFECT_LIVE)
        finally:
            connection.close()

    def _busy(self, uuid: str) -> int:
        """Milliseconds for which QEMU has not answered libvirt, or 0."""
        def ask() -> int:
            try:
                state, _details, since = self._connect().lookupByUUIDString(
                    uuid).controlInfo()
            except self._libvirt.libvirtError as exc:
                if self._gone(exc):
                    return 0
                raise
            return max(1, since) if \
                state == self._libvirt.VIR_DOMAIN_CONTROL_OCCUPIED else 0

        return self._look(ask)

    def _connect(self) -> Any:
        if self._connection is not None and not self._connection.isAlive():
            self.close()
        if self._connection is None:
            self._connection = self._open()
            self._listen()
        return self._connection

    def _open(self) -> Any:
        # Before the connection: else nobody sends its signs of life.
        _run_events(self._libvirt)
        connection = self._libvirt.open(self._uri)
        connection.setKeepAlive(*_KEEP_ALIVE)
        return connection

    def _listen(self) -> None:
        if self._listener is None:
            return
        libvirt, listener = self._libvirt, self._listener

        def told(_connection: Any, domain: Any, *_details: Any) -> None:
            listener(domain.UUIDString())

        self._callbacks = [
            self._connection.domainEventRegisterAny(None, event, told, None)
            for event in (libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE,
                          libvirt.VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED,
                          libvirt.VIR_DOMAIN_EVENT_ID_DEVICE_REMOVAL_FAILED)]

    def _gone(self, exc: Any) -> bool:
        return bool(exc.get_error_code() in (
            self._libvirt.VIR_ERR_NO_DOMAIN,
            self._libvirt.VIR_ERR_OPERATION_INVALID))

    def _failed(self, exc: Any) -> exceptions.HypervisorError:
        return exceptions.HypervisorError(
            ' '.join(str(exc).split()), exc.get_error_code())
