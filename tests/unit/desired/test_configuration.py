# SPDX-License-Identifier: Apache-2.0

"""All that SPDK's ``-c`` takes is taken, and nothing else."""

import unittest

from cyborg_spdk.desired import configuration

CALL = '{"method": "bdev_null_create", "params": {"name": "N"}}'


def parse(config, before='', behind=''):
    return configuration.parse(
        f'{before}{{"subsystems": [{{"subsystem": "bdev", "config": {config}'
        f'}}]}}{behind}'.encode(), '/x.json')


def methods(config):
    return [call['method'] for _, call in configuration.calls(config)]


class ConfigurationTest(unittest.TestCase):

    def test_what_spdk_takes(self):
        for config, count in (
                ('null', 0), ('[]', 0), (f'[{CALL}]', 1),
                (f'[{CALL}, [{CALL}, {CALL}]]', 3),
                (f'[/* {CALL}, */ {CALL} // more\n]', 1),
                ('[{"method": "bdev_examine"}]', 1)):
            self.assertEqual(count, len(methods(parse(config))), config)
        self.assertEqual(1, len(methods(parse(
            f'[{CALL}]', '// first\r\n \t/* ** / */', ' } what follows'))))
        self.assertEqual([], methods(configuration.parse(b'{}', 'x')))

    def test_a_comment_in_a_string_is_none(self):
        found, = configuration.calls(parse(
            r'[{"method": "bdev_null_create", "params": '
            r'{"name": "a//b /* c */ \" // d"}}]'))
        self.assertEqual('a//b /* c */ " // d', found[1]['params']['name'])

    def test_what_spdk_does_not_take(self):
        for text in ('', '[]', '{"subsystems": {}}', '{"subsystems": [1]}',
                     '{"subsystems": [{"config": {}}]}',
                     '{"subsystems": [{"config": [1]}]}',
                     '{"subsystems": [{"config": [{"params": {}}]}]}',
                     '{"subsystems": [{"config": [{"method": "m", '
                     '"params": [1]}]}]}',
                     '{"subsystems": NaN}', '{"subsystems": [/* ]}',
                     '\udcff', '[' * 100000):
            with self.assertRaises(configuration.Damaged, msg=text) as caught:
                configuration.parse(text.encode(errors='surrogateescape'),
                                    '/x.json')
            self.assertIn('/x.json: not ', str(caught.exception).replace(
                'nested', 'not nested'))

    def test_read_what_was_written(self):
        config = parse(f'[{CALL}]')
        self.assertEqual(config, configuration.parse(
            configuration.dump(config), 'x'))
