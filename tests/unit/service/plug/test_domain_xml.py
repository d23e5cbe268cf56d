# SPDX-License-Identifier: Apache-2.0

"""Disks in a domain's XML: what is there, what is ours, what is made."""

from xml.etree import ElementTree

import testtools

from cyborg_spdk.service.plug import domain_xml

_PROVIDER = '6fa459ea-ee8a-3ca4-894e-db77e160355e'

_DOMAIN = '''
<domain type='kvm' id='1'>
  <name>instance-00000001</name>
  <uuid>4dea22b3-1d52-d8f3-2516-782e98ab3fa0</uuid>
  {memory}
  <devices>
    <disk type='file' device='disk'>
      <source file='/var/lib/nova/instances/x/disk'/>
      <target dev='vda' bus='virtio'/>
      <alias name='virtio-disk0'/>
    </disk>
    <disk type='vhostuser' device='disk'>
      <source type='unix' path='/run/vhost/blk.0'/>
      <target dev='vdz' bus='virtio'/>
      <alias name='ua-cyborg-6fa459ea-ee8a-3ca4-894e-db77e160355e'/>
    </disk>
    <disk type='network' device='disk'>
      <source protocol='iscsi' name='iqn.2016-06.io.spdk:a/0'>
        <host name='127.0.0.1' port='3260'/>
      </source>
      <target dev='vdy' bus='virtio'/>
      <alias name='ua-somebody-elses'/>
    </disk>
    <disk type='file' device='cdrom'><target dev='hda'/></disk>
  </devices>
</domain>'''

_NUMA = ("<cpu><numa><cell id='0' memory='1' memAccess='shared'/></numa>"
         "</cpu>")
_FILE = "<memoryBacking><access mode='shared'/></memoryBacking>"


class ParseTest(testtools.TestCase):

    def parse(self, memory=''):
        return domain_xml.parse(_DOMAIN.format(memory=memory))

    def test_disks(self):
        domain = self.parse()
        self.assertEqual(
            ('instance-00000001', '4dea22b3-1d52-d8f3-2516-782e98ab3fa0'),
            (domain.name, domain.uuid))
        self.assertEqual(['vda', 'vdz', 'vdy', 'hda'],
                         [disk.device for disk in domain.disks])
        self.assertEqual(['', '/run/vhost/blk.0',
                          'iqn.2016-06.io.spdk:a/0', ''],
                         [disk.source for disk in domain.disks])

    def test_only_ours_are_ours(self):
        self.assertEqual({_PROVIDER: 'vdz'}, {
            provider: disk.device
            for provider, disk in self.parse().ours().items()})

    def test_a_free_name_is_the_last(self):
        self.assertEqual('vdx', self.parse().free_device())

    def test_none_is_free(self):
        full = domain_xml.Domain('u', 'n', tuple(
            domain_xml.Disk(name, '', '') for name in domain_xml.NAMES),
            False)
        self.assertIsNone(full.free_device())

    def test_shared_memory(self):
        self.assertEqual([False, True, True], [
            self.parse(memory).shared_memory
            for memory in ('', _NUMA, _FILE)])

    def test_no_xml(self):
        self.assertRaises(ValueError, domain_xml.parse, '<domain>')

    def test_users_of_a_source(self):
        domain = self.parse()
        self.assertEqual([domain], domain_xml.users(
            [domain], '/run/vhost/blk.0'))
        self.assertEqual([], domain_xml.users([domain], '/run/vhost/blk.1'))


class MakeTest(testtools.TestCase):
    """What is made is read back as what it was made of."""

    def read(self, xml):
        return domain_xml.parse(
            f'<domain><devices>{xml}</devices></domain>').disks[0]

    def test_vhost_user(self):
        xml = domain_xml.vhost_user("/run/a&b'/blk", 'vdz', _PROVIDER)
        disk = self.read(xml)
        self.assertEqual(("/run/a&b'/blk", 'vdz', _PROVIDER),
                         (disk.source, disk.device, disk.provider))
        self.assertEqual('yes', ElementTree.fromstring(xml).find(
            'source/reconnect').get('enabled'))

    def test_iscsi(self):
        xml = domain_xml.iscsi(
            'iqn.2016-06.io.spdk:a', '3', ('127.0.0.1', '3260'),
            'iqn.2016-06.io.spdk:me', 'vdy', _PROVIDER)
        disk = self.read(xml)
        self.assertEqual(('iqn.2016-06.io.spdk:a/3', 'vdy', _PROVIDER),
                         (disk.source, disk.device, disk.provider))
        root = ElementTree.fromstring(xml)
        self.assertEqual('iqn.2016-06.io.spdk:me',
                         root.find('source/initiator/iqn').get('name'))
        self.assertEqual(_PROVIDER, root.findtext('serial'))


class CapabilitiesTest(testtools.TestCase):

    TEXT = """
<capabilities><host>
  <secmodel><model>apparmor</model><doi>0</doi></secmodel>
  <secmodel><model>dac</model><doi>0</doi>
    <baselabel type='kvm'>+64055:+108</baselabel>
    <baselabel type='qemu'>+64055:+108</baselabel>
  </secmodel>
</host></capabilities>"""

    def test_qemus_user(self):
        self.assertEqual(64055, domain_xml.qemu_uid(self.TEXT))

    def test_one_who_is_not_told(self):
        for text in ('<capabilities/>',
                     self.TEXT.replace('dac', 'selinux'),
                     self.TEXT.replace('+64055:+108', 'system_u')):
            self.assertIsNone(domain_xml.qemu_uid(text))

    def test_models(self):
        self.assertEqual(('apparmor', 'dac'),
                         domain_xml.security_models(self.TEXT))
        self.assertEqual((), domain_xml.security_models('<capabilities/>'))
