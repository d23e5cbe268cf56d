# SPDX-License-Identifier: Apache-2.0

"""libvirt: running domains, disks in and out of them, events.

The only module that imports libvirt's binding.
"""

from collections.abc import Callable
import threading
from typing import Any

from oslo_config import cfg

from cyborg_spdk import exceptions
from cyborg_spdk import loggers
from cyborg_spdk.service import options
from cyborg_spdk.service.plug import domain_xml

LOG = loggers.get(__name__)

#: Called with the UUID of a domain that something happened to.
Listener = Callable[[str], None]

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

    def running(self) -> list[domain_xml.Domain]:
        """The running domains, those that are paused included.

        :raises HypervisorError: if libvirt does not answer.
        """
        found = []
        try:
            for domain in self._connect().listAllDomains(
                    self._libvirt.VIR_CONNECT_LIST_DOMAINS_ACTIVE):
                try:
                    found.append(domain_xml.parse(domain.XMLDesc(0)))
                except self._libvirt.libvirtError as exc:
                    if not self._gone(exc):
                        raise
        except self._libvirt.libvirtError as exc:
            raise self._failed(exc) from None
        return found

    def known(self) -> frozenset[str]:
        """UUIDs of all domains, those that are shut off included.

        :raises HypervisorError: if libvirt does not answer.
        """
        try:
            return frozenset(domain.UUIDString() for domain in
                             self._connect().listAllDomains(0))
        except self._libvirt.libvirtError as exc:
            raise self._failed(exc) from None

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
        try:
            for number in self._callbacks:
                connection.domainEventDeregisterAny(number)
            connection.close()
        except self._libvirt.libvirtError:
            LOG.debug('libvirt had gone')

    def _change(self, uuid: str, method: str, argument: str) -> None:
        try:
            domain = self._connect().lookupByUUIDString(uuid)
            getattr(domain, method)(
                argument, self._libvirt.VIR_DOMAIN_AFFECT_LIVE)
        except self._libvirt.libvirtError as exc:
            raise self._failed(exc) from None

    def _connect(self) -> Any:
        if self._connection is not None and not self._connection.isAlive():
            self.close()
        if self._connection is None:
            _run_events(self._libvirt)
            self._connection = self._libvirt.open(self._uri)
            self._connection.setKeepAlive(5, 3)
            self._listen()
        return self._connection

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
