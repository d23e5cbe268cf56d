# SPDX-License-Identifier: Apache-2.0

"""Cyborg's driver objects, made in one place, with every field set."""

import functools

from cyborg.common import constants
from cyborg.objects.driver_objects import driver_attach_handle
from cyborg.objects.driver_objects import driver_attribute
from cyborg.objects.driver_objects import driver_controlpath_id
from cyborg.objects.driver_objects import driver_deployable
from cyborg.objects.driver_objects import driver_device

from cyborg_spdk.drivers.report import cyborg_limits
from cyborg_spdk.drivers.report import entries
from cyborg_spdk.units import unit

VENDOR = 'SPDK'

#: Facts that may grow without end, and are left out first.
_LONG = ('uuids', 'listeners')


def driver_name(kind):
    """Name of the entry point of the driver for a kind of target."""
    return f'spdk_{kind}_driver'


def device(host, target, planned, facts):
    """The device of a target that could be read.

    :param host: resource provider name of the host.
    :param target: :class:`~cyborg_spdk.conf.Target`.
    :param planned: dict of entries by name.
    :param facts: dict for the board info.
    :returns: ``DriverDevice``.
    """
    driver = driver_name(target.kind)
    return _device(host, target, facts, [
        _deployable(entry, driver) for entry in planned.values()], False)


def stub(host, target):
    """The device of a target that could not be read.

    Cyborg leaves a device reported as a stub exactly as it is.

    :returns: ``DriverDevice``.
    """
    return _device(host, target, {}, [], True)


def _device(host, target, facts, deployables, is_stub):
    made = driver_device.DriverDevice(
        vendor=VENDOR, model=target.application,
        type=constants.DEVICE_SSD,
        std_board_info=unit.canonical({
            'application': target.application, 'kind': target.kind,
            'target': target.name, 'version': facts.get('version') or ''}),
        vendor_board_info=board_info(facts),
        controlpath_id=driver_controlpath_id.DriverControlPathID(
            cpid_type=constants.CPID_TYPE,
            cpid_info=entries.control_path(host, target.name)),
        deployable_list=deployables, stub=is_stub)
    if 'device_state' in made.fields:
        # Since openstack-cyborg 17.0.0.
        made.device_state = constants.DEVICE_STATE_AVAILABLE
    return made


@functools.lru_cache(maxsize=16384)
def _deployable(entry, driver):
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


def board_info(facts):
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
