# SPDX-License-Identifier: Apache-2.0

"""Wrong parameters: refused here exactly where a target refuses them.

Every method of the schema that SPDK ships is called with a parameter that
nobody knows, with each parameter in another type, and without each that is
needed; as they are, past our own check. What that would have said is compared
with what the target says.
"""

import json
import os
import unittest

import fixtures

from cyborg_spdk.rpc.protocol import refusals
from tests.functional.fixtures import target
from tests.unit import tools

_SCHEMA = os.path.join(os.path.dirname(tools.__file__),
                       'schema_v26.05.json')

#: A value of each type of the schema; others are texts.
_RIGHT = {**dict.fromkeys(('uint8', 'uint16', 'uint32', 'uint64', 'int32'), 1),
          'boolean': True, 'array': [], 'object': {},
          'uuid': '11111111-1111-4111-8111-111111111111'}
#: Types that are given in the place of another.
_TEXTS = ('string', 'enum', 'uuid')

#: What says that the parameters could not be read: -32602, or for methods
#: that have words of their own -32603, -32700 and EINVAL.
_CANNOT_READ = (-32602, -32603, -32700, -22)
#: Looked at before the parameters: the state of the framework, and what was
#: built or enabled.
_BEFORE = (-1, -95)

#: They end the target, or do not return.
_LEFT_OUT = frozenset({'spdk_kill_instance', 'framework_start_init',
                       'framework_wait_init'})

#: The schema says uint32, and SPDK reads a text with words of its own: the
#: type that is wrong by the schema is the right one.
_WRONG_IN_SCHEMA = ('nvmf_create_target', 'discovery_filter')


def _wrong_calls(method, members):
    """Calls that are wrong in one place each; pairs of place, parameters."""
    yield 'unknown', {'no_such_parameter': 1}
    for name, (kind, needed) in members.items():
        others = {other: _RIGHT.get(other_kind, 'x')
                  for other, (other_kind, other_needed) in members.items()
                  if other_needed and other != name}
        is_text = kind in _TEXTS or (method, name) == _WRONG_IN_SCHEMA
        yield f'type of {name}', {**others, name: 5 if is_text else 'x'}
        if needed:
            yield f'without {name}', others or None


@unittest.skipUnless(target.SPDK_DIR, 'about what real targets refuse')
class WrongParametersTest(fixtures.TestWithFixtures):

    def compare(self, application):
        client = self.useFixture(target.Target(application)).connect()
        if client.version[:2] != (26, 5):
            self.skipTest('the schema is of v26.05')
        with open(_SCHEMA) as stream:
            schema = json.load(stream)
        served = set(client.call('rpc_get_methods'))
        differences, refused = [], 0
        for method in sorted(served & set(schema) - _LEFT_OUT):
            for place, params in _wrong_calls(method, schema[method]):
                reason = refusals.problem(method, params, client.version)
                reply = client.exchange(method, params, timeout=10)
                code = reply.get('error', {}).get('code', 0)
                refused += reason is not None
                if code not in _BEFORE and \
                        (reason is None) == (code in _CANNOT_READ):
                    differences.append((method, place, reason, reply))
        self.assertEqual([], differences)
        # Else there was nothing to compare.
        self.assertGreater(refused, 500)

    def test_nvmf_tgt(self):
        self.compare('nvmf_tgt')

    def test_vhost(self):
        self.compare('vhost')
