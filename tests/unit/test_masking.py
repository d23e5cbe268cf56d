# SPDX-License-Identifier: Apache-2.0

import logging
import unittest

from cyborg_spdk import exceptions
from cyborg_spdk import masking
from cyborg_spdk import rpc

SECRET = 'DO-NOT-SHOW-0123456789'

_PARAMS = {
    'name': 'x', 'key': SECRET, 'psk': SECRET, 'secret': '',
    'secrets': [{'user': 'u', 'secret': SECRET, 'msecret': SECRET}],
    'inner': {'password': SECRET, 'key_name': 'shown'}}


class MaskTest(unittest.TestCase):

    def test_secrets_are_masked_wherever_they_are(self):
        shown = masking.mask(_PARAMS)
        self.assertNotIn(SECRET, repr(shown))
        self.assertEqual(('x', '', 'shown'), (
            shown['name'], shown['secret'], shown['inner']['key_name']))
        self.assertEqual(SECRET, _PARAMS['key'])
        self.assertEqual(masking.MASKED, masking.mask(SECRET, 'a.psk'))

    def test_what_is_nested_without_end_is_cut(self):
        value = deepest = {}
        for _ in range(100000):
            deepest['a'] = deepest = {}
        self.assertLess(len(masking.show(value)), 200)

    def test_no_error_shows_one(self):
        client = rpc.Client('/nonexistent/x.sock')
        errors = [
            exceptions.rpc_error(-32602, 'Invalid parameters', 'm', _PARAMS),
            exceptions.InvalidValue('secret', SECRET, 'it is too short'),
            exceptions.InvalidValue('params', _PARAMS, 'wrong')]
        for method, params in (
                ('m', {'secret': SECRET.encode()}),
                ('m', {'secrets': [{'secret': SECRET, 'x': object()}]}),
                ('m', {'psk': SECRET, 'x': float('nan')}),
                ('accel_crypto_key_create', {
                    'key': [SECRET], 'cipher': 'AES_CBC', 'name': 'k'}),
                ('iscsi_create_auth_group', {
                    'tag': 1, 'secrets': {'secret': SECRET}})):
            with self.assertRaises(exceptions.SpdkError) as caught:
                client.call(method, _timeout=0.1, **params)
            errors.append(caught.exception)
        for error in errors:
            record = logging.LogRecord('n', 10, 'p', 1, '%s %r',
                                       (error, error), None)
            self.assertNotIn(SECRET, record.getMessage())
            self.assertIn(type(error).__name__, repr(error))
