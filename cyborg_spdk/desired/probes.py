# SPDX-License-Identifier: Apache-2.0

"""Is what stands in an object's way gone? Looked at without the target.

A pause before the next try may be five minutes long; a disk that is back
is worth a try at once.
"""

import contextlib
import errno
import os
import select
import socket
import time

from cyborg_spdk.desired import objects as desired_objects

# Seconds for the connections of all probes of one look together.
_PATIENCE = 0.3

_Place = tuple[str, str]


def blocked(objects: list[desired_objects.Object]) -> set[str]:
    """Keys of the objects in whose way something stands now.

    :param objects: those that are missing.
    """
    return {one.key for one in objects if _is_blocked(one)} \
        | unanswered(objects)


def unanswered(objects: list[desired_objects.Object],
               patience: float = _PATIENCE) -> set[str]:
    """Keys of the controllers whose peers take no connections now.

    :param objects: of any kind.
    :param patience: seconds for all of them together.
    """
    found: set[str] = set()
    places: dict[_Place, list[str]] = {}
    for one in objects:
        place = _peer(one)
        if place is not None:
            places.setdefault(place, []).append(one.key)
    for place in _silent(list(places), patience):
        found.update(places[place])
    return found


def device(address: object) -> int | None:
    """Which PCI device is at an address; None: none is.

    One that was pulled out and plugged in again is another one.
    """
    try:
        return os.stat(f'/sys/bus/pci/devices/{address}').st_ino
    except OSError:
        return None


def _is_blocked(one: desired_objects.Object) -> bool:
    if one.kind == 'listener':
        where = one.params.get('listen_address') or {}
        return str(where.get('trtype')).upper() == 'TCP' and not _is_free(
            str(where.get('traddr')), str(where.get('trsvcid') or '4420'))
    if one.kind == 'portal-group':
        return not all(_is_free(str(portal.get('host')),
                                str(portal.get('port') or '3260'))
                       for portal in one.params.get('portals') or ()
                       if isinstance(portal, dict))
    if one.kind == 'nvme' and str(
            one.params.get('trtype')).upper() == 'PCIE':
        return device(one.params.get('traddr')) is None
    return any(not os.path.exists(below.partition(':')[2])
               for below in one.stands_on if below.startswith('file:'))


def _is_free(host: str, port: str) -> bool:
    """Whether somebody could listen there; True if it cannot be told."""
    host = host.strip('[]')
    family = socket.AF_INET6 if ':' in host else socket.AF_INET
    try:
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, int(port)))
    except OSError as exc:
        return exc.errno not in (errno.EADDRNOTAVAIL, errno.EADDRINUSE)
    except ValueError:
        pass
    return True


def _peer(one: desired_objects.Object) -> _Place | None:
    """The TCP address that a controller is reached by, or None."""
    if one.kind not in ('nvme', 'discovery') or str(
            one.params.get('trtype')).upper() != 'TCP':
        return None
    return str(one.params.get('traddr')), str(
        one.params.get('trsvcid') or '4420')


def _silent(places: list[_Place], patience: float) -> list[_Place]:
    """Those of some addresses where nobody takes connections."""
    deadline = time.monotonic() + patience
    with contextlib.ExitStack() as stack:
        waiting = {}
        silent = []
        for place in places:
            probe = _begin(place)
            if probe is None:
                silent.append(place)
            else:
                waiting[stack.enter_context(probe)] = place
        while waiting:
            left = deadline - time.monotonic()
            _, ready, _ = select.select([], list(waiting), [], max(0, left))
            if not ready:
                break
            for probe in ready:
                place = waiting.pop(probe)
                if probe.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                    silent.append(place)
        return silent + list(waiting.values())


def _begin(place: _Place) -> socket.socket | None:
    host, port = place
    host = host.strip('[]')
    probe = socket.socket(socket.AF_INET6 if ':' in host
                          else socket.AF_INET)
    probe.setblocking(False)
    try:
        probe.connect((host, int(port)))
    except BlockingIOError:
        pass
    except (OSError, ValueError):
        probe.close()
        return None
    return probe
