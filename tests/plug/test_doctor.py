# SPDX-License-Identifier: Apache-2.0

"""What keeps units out of guests, told before anybody has one."""

from cyborg_spdk.host.doctor import finding
from cyborg_spdk.service import options
from cyborg_spdk.service.plug import doctor
from tests.plug import case


class DoctorTest(case.PlugCase):

    def setUp(self):
        super().setUp()
        self.host.set(options.GROUP, duties=['plug'])

    def found(self, check):
        return [(one.level, one.text, one.remedy)
                for one in doctor.examine(self.conf) if one.check == check]

    def test_all_is_well(self):
        self.unit('blk.0', served=False)
        self.libvirtd.create()
        self.assertEqual([], [
            one for one in doctor.examine(self.conf)
            if one.level in (finding.WARNING, finding.FAILURE)])
        self.assertIn((finding.OK, 'runs as libvirt-qemu', ''),
                      self.found('QEMU'))

    def test_the_duty_is_off(self):
        self.host.set(options.GROUP, duties=['wipe'],
                      libvirt_uri='qemu+unix:///system?socket=/nowhere')
        self.assertEqual([], doctor.examine(self.conf))

    def test_no_libvirt(self):
        self.host.set(options.GROUP,
                      libvirt_uri='qemu+unix:///system?socket=/nowhere')
        (level, text, _remedy), = self.found('libvirt')
        self.assertEqual(finding.FAILURE, level)
        self.assertIn('/nowhere', text)

    def test_no_shared_memory(self):
        _, domain = self.libvirtd.create(memory='')
        (level, text, remedy), = self.found('domains')
        self.assertEqual(finding.NOTE, level)
        self.assertIn(domain.name(), text)
        self.assertIn('hw:mem_page_size', remedy)

    def test_no_such_user(self):
        self.host.set(options.GROUP, qemu_user='no-such-user-here')
        (level, text, remedy), = self.found('QEMU')
        self.assertEqual(finding.FAILURE, level)
        self.assertIn('no-such-user-here', text)
        self.assertIn('qemu_user', remedy)
