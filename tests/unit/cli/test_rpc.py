# SPDX-License-Identifier: Apache-2.0

import unittest

from cyborg_spdk.cli.rpc import description
from cyborg_spdk.cli.rpc import values
from cyborg_spdk import exceptions
from cyborg_spdk.rpc.protocol import catalogue
from tests.unit.cli import test_main


class DescriptionTest(unittest.TestCase):

    def test_a_method(self):
        self.assertEqual("""\
cyborg-spdk rpc bdev_aio_delete name=TEXT

SPDK has it since v18.07.
It was called delete_aio_bdev from v18.07 to v22.01.2.

Parameters; those in brackets may be left out:
  name                        string""", description.text('delete_aio_bdev'))

    def test_when_a_parameter_is_there(self):
        lines = description.text('bdev_get_iostat').splitlines()
        self.assertIn('  [names]                     array of string; since '
                      'v26.01', lines)
        self.assertIn('  [name]                      string; up to v26.01',
                      lines)
        self.assertIn('must be given since v23.01.1',
                      description.text('accel_crypto_key_destroy'))

    def test_every_method_fits_a_terminal(self):
        for method in catalogue.data()['methods']:
            for line in description.text(method).splitlines():
                self.assertLessEqual(len(line), 78, line)

    def test_as_a_command(self):
        status, out, err = test_main.run(
            'rpc', '-s', '/nowhere', 'bdev_malloc_create', '--help')
        self.assertEqual((0, ''), (status, err))
        self.assertTrue(out.startswith(
            'cyborg-spdk rpc bdev_malloc_create block_size=NUMBER'), out)
        for method, words in [
                ('bdev_malloc_creat', 'did you mean bdev_malloc_create?'),
                ('save_config', 'use cyborg-spdk target save-config')]:
            status, out, err = test_main.run('rpc', method, '-h')
            self.assertEqual((1, ''), (status, out))
            self.assertIn(words, err)
            self.assertEqual(1, err.count('\n'))


class ValuesTest(unittest.TestCase):

    def test_a_value_has_the_type_that_the_method_takes(self):
        self.assertEqual(
            {'name': '7', 'num_blocks': 8, 'uuid': 'null'},
            values.parse_params('bdev_malloc_create', [
                'name=7', 'num_blocks=8', 'uuid=null']))
        self.assertEqual(
            {'listen_address': {'trsvcid': '4420'}},
            values.parse_params('nvmf_subsystem_add_listener',
                                ['listen_address.trsvcid=4420']))
        # A method that no release has: by what the name mostly is.
        self.assertEqual(
            {'name': '7', 'x': 7},
            values.parse_params('of_a_plugin', ['name=7', 'x=7']))
        self.assertEqual({'name': 7}, values.parse_params(
            'bdev_malloc_create', ['name:=7']))

    def test_what_cannot_be_read(self):
        with self.assertRaises(exceptions.InvalidValue):
            values.parse_params('bdev_malloc_create', ['name'])
