# SPDX-License-Identifier: Apache-2.0

"""Cyborg's driver objects, made in one place, with every field set."""

from collections.abc import Mapping
import functools
from typing import Any

from cyborg.common import constants
from cyborg.objects.driver_objects import driver_attach_handle
from cyborg.objects.driver_objects import driver_attribute
from cyborg.objects.driver_objects import driver_controlpath_id
from cyborg.objects.driver_objects import driver_deployable
from cyborg.objects.driver_objects import driver_device

from cyborg_spdk import conf
from cyborg_spdk.drivers.report import cyborg_limits
from cyborg_spdk.drivers.report import entries
from cyborg_spdk import enabled
from cyborg_spdk.units import unit

VENDOR = 'SPDK'

#: Facts that may grow without end, and are left out first.
_LONG = ('uuids', 'listeners')


def device(host: str, target: conf.Target,
           planned: Mapping[str, entries.Entry],
           facts: Mapping[str, Any]) -> driver_device.DriverDevice:
    """The device of a target that could be read.

    :param host: resource provider name of the host.
    :param target: :class:`~cyborg_spdk.conf.Target`.
    :param planned: dict of entries by name.
    :param facts: dict for the board info.
    :returns: ``DriverDevice``.
    """
    driver = enabled.driver_name(target.kind)
    return _device(host, target, facts, [
        _deployable(entry, driver) for entry in planned.values()], False)


def stub(host: str, target: conf.Target) -> driver_device.DriverDevice:
    """The device of a target that could not be read.

    Cyborg leaves a device reported as a stub exactly as it is.

    :returns: ``DriverDevice``.
    """
    return _device(host, target, {}, [], True)


def _device(
        host: str, target: conf.Target, facts: Mapping[str, Any],
        deployables: list[driver_deployable.DriverDeployable],
        is_stub: bool) -> driver_device.DriverDevice:
    standard, of_vendor = board_infos(target, facts)
    made = driver_device.DriverDevice(
        vendor=VENDOR, model=target.application,
        type=constants.DEVICE_SSD,
        std_board_info=standard, vendor_board_info=of_vendor,
        controlpath_id=driver_controlpath_id.DriverControlPathID(
            cpid_type=constants.CPID_TYPE,
            cpid_info=entries.control_path(host, target.name)),
        deployable_list=deployables, stub=is_stub)
    if 'device_state' in made.fields:
        # Since openstack-cyborg 17.0.0.
        made.device_state = constants.DEVICE_STATE_AVAILABLE
    return made


@functools.lru_cache(maxsize=16384)
def _deployable(entry: entries.Entry,
                driver: str) -> driver_deployable.DriverDeployable:
    # The objects are never changed once made, by Cyborg neither: making
    # 2,000 of them anew for each report would cost half a second.
    attributes = [('rc', entry.resource_class)]
    # The key is derived from the value: Cyborg loses traits whose values
    # move from one key to another.
    attributes += [(f'trait_{name}', name) for name in entry.traits]
    return driver_deployable.DriverDeployable(
        name=entry.name, num_accelerators=1, driver_name=driver,
        attribute_list=[driver_attribute.DriverAttribute(key=key,
                                                         value=value)
                        for key, value in attributes],
        attach_handle_list=[driver_attach_handle.DriverAttachHandle(
            attach_type=constants.AH_TYPE_TEST_PCI,
            attach_info=entry.handle, in_use=False)])


def board_infos(target: conf.Target,
                facts: Mapping[str, Any]) -> tuple[str, str]:
    """What a device says beside its units: standard, and of the vendor."""
    return unit.canonical({
        'application': target.application, 'kind': target.kind,
        'target': target.name, 'version': facts.get('version') or ''}), \
        board_info(facts)


def board_info(facts: Mapping[str, Any]) -> str:
    """A target's mutable facts as JSON that fits into its column.

    :param facts: dict; what may grow without end is left out, the most
        expendable first, until it fits.
    :returns: canonical JSON of at most
        :data:`~cyborg_spdk.drivers.report.cyborg_limits.BOARD_INFO` bytes.
    """
    facts = dict(facts)
    text = unit.canonical(facts)
    for name in _LONG:
        if len(text.encode()) <= cyborg_limits.BOARD_INFO:
            break
        if facts.pop(name, None) is not None:
            facts['left_out'] = sorted({*facts.get('left_out', ()), name})
        text = unit.canonical(facts)
    if len(text.encode()) > cyborg_limits.BOARD_INFO:
        text = unit.canonical({'left_out': ['everything']})
    return text
