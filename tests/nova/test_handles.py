# SPDX-License-Identifier: Apache-2.0
"""Nova's libvirt driver with our attach handle, alone and beside a PCI one.

On the case that Nova's own tests of its driver are made of, so that it is
Nova's whole way from the accelerator requests to the domain.
"""

import importlib.metadata
import unittest
from unittest import mock

from nova import objects
from nova.tests.unit.virt.libvirt import test_driver
from nova.virt.libvirt import config
from nova.virt.libvirt import driver

_RELEASE = int(importlib.metadata.version('nova').split('.')[0])
_PCI = {'attach_handle_type': 'PCI', 'attach_handle_info': {
    'domain': '0000', 'bus': '0c', 'device': '0', 'function': '0'}}
_OURS = {'attach_handle_type': 'TEST_PCI', 'attach_handle_info': {
    'nqn': 'nqn.2016-06.io.spdk:cnode1', 'nsid': '1'}}


class HandlesTest(test_driver.LibvirtConnTestCase):

    def hostdevs(self, *requests):
        """PCI devices of the domain, and whether requests were ignored."""
        instance = objects.Instance(**self.test_instance)
        instance.image_ref = test_driver.uuids.image
        instance.config_drive = ''
        made = driver.LibvirtDriver(
            test_driver.fake.FakeVirtAPI(), False)
        with mock.patch.object(driver.LOG, 'info') as info:
            found = made._get_guest_config(
                instance, network_info=[], disk_info={'mapping': {}},
                image_meta=objects.ImageMeta.from_dict(self.test_image_meta),
                accel_info=[{'uuid': one['attach_handle_type'], **one}
                            for one in requests])
        return (sum(isinstance(one, config.LibvirtConfigGuestHostdevPCI)
                    for one in found.devices),
                any('Ignoring accelerator requests' in call.args[0]
                    for call in info.call_args_list))

    def test_ours_is_ignored_and_before_34_with_it_all_others(self):
        self.assertEqual((1, False), self.hostdevs(_PCI))
        self.assertEqual((0, True), self.hostdevs(_OURS))
        self.assertEqual((int(_RELEASE >= 34), True),
                         self.hostdevs(_PCI, _OURS))


def load_tests(_loader, _tests, _pattern):
    """Not those that Nova's own case has."""
    return unittest.TestSuite([HandlesTest(
        'test_ours_is_ignored_and_before_34_with_it_all_others')])
