# Licensed under the Apache License, Version 2.0 (the "License"); you may
# not use this file except in compliance with the License. You may obtain
# a copy of the License at
#
#      http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
# WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
# License for the specific language governing permissions and limitations
# under the License.

"""Random bytes on a connection of its own: what comes back, and how it ends.
"""

import json

from tests.functional.recordings import replay

#: Calls whose replies are the same at any time, in the order of the calls.
_CALLS = (
    ('log_get_level', None), ('log_get_print_level', {}),
    ('nosuch', None), ('nosuch', [1]), ('log_set_level', {'level': 'x'}),
    ('bdev_malloc_create', {'num_blocks': 0, 'block_size': 512}),
    ('framework_get_scheduler', None), ('notify_get_types', None),
    ('log_get_level', {'a': 1}), ('bdev_raid_get_bdevs', {'category': 'x'}),
    ('framework_start_init', None))
_IDS = ('1', '0', '-1', '1.5', '1e3', '"a"', '""', '"\\u00e9"', 'null',
        'true', '[]', '{}', '123456789012345678901234567890', '"\\ud800"')
_SPOILT = (
    '{', '}', '[', ']', '{"a"', '{"a":1,}', '[1,]', 'nul', 'tru', '"a',
    '\\', '{"jsonrpc":"2.0"}', '{"jsonrpc":"1.0","id":1,"method":"a"}',
    '{"id":1,"method":"log_get_level"}', '{"method":1,"id":1}', '1', '"x"',
    'null', 'true', '[]', '[[]]', '[1,2]', '{}', '{"a":{"b":[1,2,{}]}}',
    '\ufeff', '\x00', '1 2 3', '[{}]', ' -', '01', '1.', '.5', '{"a":01}',
    '{"id":1,"id":2,"method":"log_get_level","jsonrpc":"2.0"}',
    '{"jsonrpc":"2.0","id":1,"method":"log_get_level","x":1}',
    '{"jsonrpc":"2.0","id":1,"method":"log_get_level","params":1}',
    '{"jsonrpc":"2.0","id":1,"method":"log_get_level","params":null}',
    '[' * 63, '[' * 70, '{"a":' * 40 + '1' + '}' * 40)


class Streams:
    """Makes streams.

    :param random: a :class:`random.Random`.
    """

    def __init__(self, random):
        self.random = random

    def _call(self):
        method, params = self.random.choice(_CALLS)
        parts = []
        if self.random.random() < 0.9:
            parts.append('"jsonrpc":"2.0"')
        if self.random.random() < 0.9:
            parts.append(f'"id":{self.random.choice(_IDS)}')
        parts.append(f'"method":"{method}"')
        if params is not None:
            parts.append('"params":' + json.dumps(params))
        self.random.shuffle(parts)
        return '{' + self._blank() + ','.join(parts) + '}'

    def _blank(self):
        return self.random.choice(('', '', ' ', '\n', '\t\r\n '))

    def stream(self):
        """One stream (bytes)."""
        items = []
        for _ in range(self.random.randrange(1, 6)):
            kind = self.random.random()
            if kind < 0.6:
                items.append(self._call())
            elif kind < 0.8:
                items.append('[' + ','.join(
                    self._call() for _ in range(self.random.randrange(4)))
                    + ']')
            else:
                items.append(self.random.choice(_SPOILT))
        return self._blank().join(items).encode('utf-8', 'surrogatepass')


def answer(side, data):
    """Send a stream and half-close.

    :returns: (what came, ``"eof"``, ``"reset"`` or ``"open"``).
    """
    connection = replay.Connection(side.socket, 10)
    try:
        connection.send(data)
        connection.socket.shutdown(1)
        try:
            return connection.end()
        except TimeoutError:
            return connection.buffer, 'open'
    except OSError:
        return connection.buffer, 'reset'
    finally:
        connection.close()
