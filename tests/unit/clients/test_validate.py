# SPDX-License-Identifier: Apache-2.0

"""What is refused before it is sent, and what is let through."""

import unittest

from cyborg_spdk.clients import addresses
from cyborg_spdk.clients.iscsi import values as iscsi_values
from cyborg_spdk.clients.nvmf import construct as nvmf_construct
from cyborg_spdk.clients import types
from cyborg_spdk.clients import validate
from cyborg_spdk import exceptions

NQN = 'nqn.2016-06.io.spdk:'


class Refusing(unittest.TestCase):

    def assertRefused(self, operation, *args):
        """InvalidValue, in one line that names the value."""
        with self.assertRaises(exceptions.InvalidValue) as caught:
            operation(*args)
        self.assertNotIn('\n', str(caught.exception))
        return str(caught.exception)


class ValidateTests(Refusing):

    def test_size(self):
        for value, expected in (
                (1, 1), (2 ** 64 - 1, 2 ** 64 - 1), ('4096', 4096),
                ('64MiB', 64 << 20), ('64M', 64 << 20), ('64 MB', 64 << 20),
                ('64mib', 64 << 20), ('1G', 1 << 30), ('1.5g', 3 << 29),
                ('0.5KiB', 512), ('2TiB', 2 << 40), (' 7 B ', 7)):
            with self.subTest(value):
                self.assertEqual(expected, validate.size('size', value))

    def test_no_size(self):
        for value in (0, -1, '0', '-1', 1.5, True, None, '', 'MiB', '1X',
                      '1MiBx', '1.5B', '0.3KiB', '1e3', '١MiB', 2 ** 64,
                      '17000000T', [], b'1M'):
            with self.subTest(value):
                text = self.assertRefused(validate.size, 'size', value)
                self.assertIn('size', text)

    def test_blocks(self):
        self.assertEqual(2048, validate.blocks('size', '1MiB', 512))
        self.assertIn('512', self.assertRefused(
            validate.blocks, 'size', 1000, 512))
        self.assertEqual(8, validate.mebibytes('size', '8MiB'))
        self.assertRefused(validate.mebibytes, 'size', '8.5MiB')

    def test_block_size(self):
        for value in (512, 4096, 520 * 512):
            self.assertEqual(value, validate.block_size(value))
        for value in (0, 511, 513, '512', None, True, 2 ** 32):
            with self.subTest(value):
                self.assertRefused(validate.block_size, value)
        self.assertEqual(4096, validate.power_of_two('x', 4096, 512))
        for value in (256, 513, 1536):
            self.assertRefused(validate.power_of_two, 'x', value, 512)

    def test_nqn(self):
        for value in (
                NQN + 'cnode1', NQN + 'cnode_2!', NQN + 'ö', NQN + 'a' * 203,
                'nqn.2014-08.org.nvmexpress.discovery',
                'nqn.2014-08.org.nvmexpress:uuid:'
                '6cbf7a3e-4b1d-4c4a-9f0e-2f7f1d3b0a11',
                'nqn.2016-06.a-b.c1:x:y'):
            with self.subTest(value):
                self.assertEqual(value, validate.nqn(value))

    def test_no_nqn(self):
        for value in (
                None, 7, '', 'cnode1', NQN, 'nqn.2016-06.io.spdk',
                'nqn.2016-6.io.spdk:x', 'NQN.2016-06.io.spdk:x',
                'nqn.2016-06.1o.spdk:x', 'nqn.2016-06.io-.spdk:x',
                'nqn.2016-06.io..spdk:x', 'nqn.2016-06.:x',
                'nqn.2016-06.i_o:x', f'nqn.2016-06.{"a" * 64}:x',
                NQN + 'a' * 204, NQN + 'ö' * 102, NQN + 'a\0b',
                NQN + '\udc80', 'nqn.2014-08.org.nvmexpress:uuid:123',
                'nqn.2014-08.org.nvmexpress:uuid:' + 'x' * 36):
            with self.subTest(value):
                self.assertRefused(validate.nqn, value)

    def test_serial_number(self):
        self.assertEqual('S' * 20, validate.printable('sn', 'S' * 20, 20))
        for value in ('', 'S' * 21, 'S\n', 'é', None):
            with self.subTest(value):
                self.assertRefused(validate.printable, 'sn', value, 20)

    def test_port(self):
        for value, expected in ((1, '1'), ('4420', '4420'),
                                ('004420', '4420'), (65535, '65535')):
            self.assertEqual(expected, validate.port('port', value))
        for value in (0, 65536, -1, '', 'abc', '99999', None, True, '4 420',
                      '²'):
            with self.subTest(value):
                self.assertRefused(validate.port, 'port', value)

    def test_names(self):
        self.assertEqual('lv', validate.object_name('lvol', 'lv'))
        for value in ('', 'a/b', 'x' * 64, None):
            self.assertRefused(validate.object_name, 'lvol', value)
        for value in ('', '.', '..', 'a/b', 'x' * 256):
            self.assertRefused(validate.file_name, 'ctrlr', value)

    def test_hexadecimal(self):
        self.assertEqual('0123456789ABCDEF',
                         validate.hexadecimal('x', '0123456789abcdef', 16))
        for value in ('', '0123456789abcde', '0123456789abcdeg', None):
            self.assertRefused(validate.hexadecimal, 'x', value, 16)


class AddressTests(Refusing):

    def test_forms(self):
        expected = ('TCP', '127.0.0.1', '4420')
        for value in (
                'tcp://127.0.0.1:4420', 'tcp://127.0.0.1', 'TCP:127.0.0.1',
                'tcp:127.0.0.1:4420', 'tcp://127.0.0.1:4420/',
                'trtype:tcp traddr:127.0.0.1 trsvcid:4420',
                'trtype:TCP  traddr:127.0.0.1',
                {'trtype': 'Tcp', 'traddr': '127.0.0.1', 'trsvcid': 4420},
                types.ListenAddress(trtype='TCP', traddr='127.0.0.1')):
            with self.subTest(value):
                found = addresses.parse(value)
                self.assertEqual((*expected, 'IPv4'),
                                 (*found.place, found.adrfam))
                self.assertEqual('TCP:127.0.0.1:4420', str(found))

    def test_ipv6(self):
        for value in ('tcp://[::1]:4421',
                      'trtype:TCP adrfam:ipv6 traddr:::1 trsvcid:4421'):
            found = addresses.parse(value)
            self.assertEqual(('TCP', '::1', '4421', 'IPv6'),
                             (*found.place, found.adrfam))
            self.assertEqual('TCP:[::1]:4421', str(found))
            self.assertEqual(found, addresses.parse(
                str(found).replace('TCP:', 'tcp://')))
        self.assertEqual(addresses.parse('tcp://[::1]').place,
                         addresses.parse('tcp://[0:0::1]').place)

    def test_vfio_user(self):
        found = addresses.parse({'trtype': 'vfiouser',
                                 'traddr': '/var/run/x'})
        self.assertEqual({'trtype': 'VFIOUSER', 'traddr': '/var/run/x'},
                         addresses.params(found))

    def test_wrong(self):
        for value in (
                None, 7, '', 'tcp', 'tcp://', 'tcp://:4420',
                'tcp://host:4420', 'tcp://127.0.0.1:0', 'x://127.0.0.1',
                'tcp://127.0.0.1:99999', 'tcp://::1:4420',
                'trtype:TCP', 'trtype:TCP traddr', {'traddr': '127.0.0.1'},
                {'trtype': 'TCP', 'traddr': '127.0.0.1', 'port': 4420},
                {'trtype': 'TCP', 'traddr': '127.0.0.1', 'adrfam': 'IPv6'},
                {'trtype': 'TCP', 'traddr': '127.0.0.1', 'adrfam': 'x'}):
            with self.subTest(value):
                self.assertRefused(addresses.parse, value)

    def test_namespace(self):
        for value, expected in (
                ('M0', {'bdev_name': 'M0'}),
                ('M0:3', {'bdev_name': 'M0', 'nsid': 3}),
                ('lvs/lv', {'bdev_name': 'lvs/lv'}),
                ({'bdev_name': 'a:1'}, {'bdev_name': 'a:1'})):
            self.assertEqual(expected, nvmf_construct.namespace(value))
        for value in ('', {}, {'name': 'x'}, 7, None):
            with self.subTest(value):
                self.assertRefused(nvmf_construct.namespace, value)

    def test_words(self):
        for value, expected in ((None, []), ('', []), (' a  b ', ['a', 'b']),
                                (['a'], ['a']), (('a', 'b'), ['a', 'b'])):
            self.assertEqual(expected, nvmf_construct.words(value, 'x'))
        self.assertEqual(['a b', 'c'],
                         nvmf_construct.words('a b, c,', 'x', ','))
        self.assertRefused(nvmf_construct.words, 7, 'x')


class IscsiTests(Refusing):

    def test_portal(self):
        for value, expected in (
                ('127.0.0.1:3260', ('127.0.0.1', '3260')),
                ('127.0.0.1', ('127.0.0.1', '3260')),
                ('[::1]:3261', ('[::1]', '3261')),
                ('[::1]', ('[::1]', '3260')),
                ({'host': '::1', 'port': 3260}, ('[::1]', '3260'))):
            with self.subTest(value):
                self.assertEqual(expected,
                                 tuple(iscsi_values.portal(value).values()))
        for value in ('', 'host:1', '127.0.0.1:99999', 7, {}, '::1:3260'):
            with self.subTest(value):
                self.assertRefused(iscsi_values.portal, value)

    def test_name(self):
        for value in ('iqn.2016-06.io.spdk:disk1', 'eui.02004567A425678D',
                      'naa.52004567BA64678D'):
            self.assertEqual(value, iscsi_values.iscsi_name('x', value))
        for value in ('', 'iqn.2016-6.x', 'iqn.2016-06x', 'a b', 'a_b',
                      'a!', 'x' * 224):
            with self.subTest(value):
                self.assertRefused(iscsi_values.iscsi_name, 'x', value)

    def test_initiators_and_netmasks(self):
        for value in ('ANY', '!ANY', 'iqn.2016-06.io.spdk:i',
                      '!iqn.2016-06.io.spdk:i'):
            self.assertEqual(value, iscsi_values.initiator(value))
        for value in ('', 'bad name', '!'):
            self.assertRefused(iscsi_values.initiator, value)
        for value in ('ANY', '127.0.0.1', '10.0.0.0/8', '[::1]',
                      '[2001:db8::]/32', '127.0.0.1/24'):
            self.assertEqual(value, iscsi_values.netmask(value))
        for value in ('', 'bogus', '10.0.0.0/33', None):
            self.assertRefused(iscsi_values.netmask, value)

    def test_chap(self):
        self.assertEqual({'disable_chap': True},
                         iscsi_values.check_chap({'disable_chap': 1,
                                                  'require_chap': None}))
        for chap in ({'disable_chap': True, 'require_chap': True},
                     {'mutual_chap': True}, {'chap_group': -1},
                     {'chap': True}):
            with self.subTest(chap):
                self.assertRefused(iscsi_values.check_chap, chap)
