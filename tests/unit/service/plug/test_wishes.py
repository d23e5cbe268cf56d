# SPDX-License-Identifier: Apache-2.0

import testtools

from cyborg_spdk.service.plug import wishes


class IsInstanceTest(testtools.TestCase):
    """Whose use of a unit a round may end at all."""

    def test_a_uuid(self):
        self.assertTrue(wishes.is_instance(
            '0d0bd1f2-5f0b-4c7c-8b9f-5a4e7a3c7d10'))

    def test_whom_only_an_operator_lets_in(self):
        for name in ('nqn.2014-08.org.nvmexpress:uuid:'
                     '0d0bd1f2-5f0b-4c7c-8b9f-5a4e7a3c7d10',
                     'iqn.1993-08.org.debian:01:abc', 'libvirt-qemu', '',
                     '0d0bd1f25f0b4c7c8b9f5a4e7a3c7d10', None):
            self.assertFalse(wishes.is_instance(name), name)
