# SPDX-License-Identifier: Apache-2.0

"""JSON text, right, odd and wrong, of which streams are made."""

#: Calls whose replies are the same at any time: (method, params or None),
#: the latter as JSON text.
_CALLS = (
    ('log_get_level', None), ('log_get_print_level', '{}'),
    ('nosuch', None), ('nosuch', '[1]'), ('log_set_level', '{"level":"x"}'),
    ('bdev_malloc_create', '{"num_blocks":0,"block_size":512}'),
    ('framework_get_scheduler', None), ('notify_get_types', None),
    ('log_get_level', '{"a":1}'),
    ('bdev_raid_get_bdevs', '{"category":"x"}'),
    ('framework_start_init', None), ('log_get_level', 'null'),
    ('log_get_level', '[]'), ('log_get_level', '""'), ('bdev_get_bdevs', '7'),
    ('framework_wait_init', None), ('bdev_wait_for_examine', None),
    ('bdev_get_bdevs', '{"name":"nosuch"}'),
    ('bdev_get_bdevs', '{"name":"nosuch","name":"nosuch"}'),
    ('bdev_get_bdevs', '{"name":"a\\u0000b"}'))
#: Calls that are answered later.
_LATE = (('bdev_get_bdevs', '{"name":"nosuch","timeout":200}'),)
#: Calls with a number, which is filled in; none of them changes anything.
_NUMBERED = (
    ('bdev_malloc_create',
     '{"name":"%%","num_blocks":%s,"block_size":500}'),
    ('bdev_aio_create', '{"name":"a","filename":"/nosuch","block_size":%s}'),
    ('nvmf_subsystem_remove_ns', '{"nqn":"nqn.2016-06.io:a","nsid":%s}'),
    ('nvmf_create_transport', '{"trtype":"NOSUCH","max_queue_depth":%s}'),
    ('bdev_null_delete', '{"name":%s}'),
    ('notify_get_notifications', '{"id":%s,"max":0}'),
    ('notify_get_notifications', '{"id":0,"max":%s}'))
_NUMBERS = (
    '0', '-0', '1', '-1', '9', '10', '4294967295', '4294967296', '1e5',
    '1E5', '1e+2', '1e-2', '100e-2', '150e-1', '0.0', '0.5', '1.0', '1.50',
    '-1.0', '1.0e+400', '1e400', '0e5', '0e-5', '0.0e1', '2e19', '3e19',
    '18446744073709551615', '18446744073709551616', '30000000000000000000',
    '1844674407370955162e1', '123456789012345678901234567890',
    '1000000000000000000000e-19', '9' * 200, '0.' + '0' * 30 + '1',
    '512' + '0' * 25 + 'e-25', '1e00000000000000000000000002',
    '1e18446744073709551616', '7e-9223372036854775808', '1e-99999999999')
_WRONG_NUMBERS = (
    '-', '01', '00', '-01', '1.', '.5', '1.e5', '1e', '1e+', '1e-', '--1',
    '+1', '1-', '1+', '1.5.5', '1e5e5', '1e5.5', '0x10', '1_0', '- 1', '1 2',
    'NaN', 'Infinity', '-Infinity', '1,')
_STRINGS = (
    '""', '"a"', '"\\u00e9"', '"\\"\\\\\\/\\b\\f\\n\\r\\t"', '"/"',
    '"\\u0000"', '"\\u001f\\u0020\\u007e\\u007f\\u0080"', '"\x7f"',
    '"\\ud83d\\ude00"', '"\\uD83D\\uDE00"', '"é"', '"€"', '"😀"', '"\\uFFFF"',
    '"\\u07ff\\u0800"', '"\U0010ffff"', '"' + 'x' * 200 + '"',
    '"\\\\u00e9"', '"log_get_level"', '"log\\u005fget_level"')
#: Bytes, since many are no text.
_WRONG_STRINGS = (
    b'"\\ud800"', b'"\\ud800\\n"', b'"\\ud800\\u0041"', b'"\\udc00"',
    b'"\\ud800\\ud800"', b'"\\x41"', b'"\\U0041"', b'"\\u004"', b'"\\u00g0"',
    b'"\\', b'"\\u', b'"\\u0', b'"\\ud8', b'"\\ud800', b'"\\ud800\\',
    b'"\\ud800\\u', b'"a', b'"', b"'a'", b'"\t"', b'"\n"', b'"\x00"',
    b'"\x80"', b'"\xc0\x80"', b'"\xc1\xbf"', b'"\xc3"', b'"\xc3', b'"\xe2\x82',
    b'"\xe2', b'"\xe0\x80\x80"', b'"\xed\xa0\x80"', b'"\xf0\x9f\x98',
    b'"\xf0\x80\x80\x80"', b'"\xf4\x90\x80\x80"', b'"\xf5\x80\x80\x80"',
    b'"\xff"', b'"a\xe2\x82(b"', b'"\\a"', b'"\\\n"')
_SPOILT = (
    '{', '}', '[', ']', '{"a"', '{"a":1,}', '[1,]', 'n', 'nu', 'nul', 'nx',
    'nulx', 'tru', 'truE', 'f', 'fals', 'fa}', 'falsy', 'true', 'false',
    'null', 'nullnull', 'truefalse', '\\', '1', '"x"', '[]', '[[]]', '[1,2]',
    '{}', '{"a":{"b":[1,2,{}]}}', '\ufeff', '\x00', '1 2 3', '[{}]', '[null]',
    '{"a":01}', '[1-]', '[1 2]', '{"a" 1}', '{"a":}', '{"a":]', '[1}', '{]',
    '[}', '{1:2}', '{"a":1]', '{,}', '[,]', ',', ':', '{"a"::1}', '{"a":1 "b"',
    '{"a":[1}]', '// c\n', '/* c */', '{}// c\n', '[1,/* c */2]', '#', '\x0b',
    '{"jsonrpc":"2.0"}', '{"jsonrpc":"1.0","id":1,"method":"log_get_level"}',
    '{"jsonrpc":2.0,"id":1,"method":"log_get_level"}',
    '{"jsonrpc":null,"id":1,"method":"log_get_level"}',
    '{"jsonrpc":"2\\u002e0","id":1,"method":"log_get_level"}',
    '{"id":1,"method":"log_get_level"}', '{"method":1,"id":1}',
    '{"method":null,"id":1}', '{"method":["log_get_level"],"id":1}',
    '{"method":"","id":1}', '{"method":"log_get_level\\u0000","id":1}',
    '{"id":1,"id":2,"method":"log_get_level","jsonrpc":"2.0"}',
    '{"id":1,"method":"log_get_level","method":"log_get_level"}',
    '{"id":1,"\\u006dethod":"log_get_level"}',
    '{"id":1,"method":"log_get_level","Method":"log_get_level"}',
    '{"jsonrpc":"2.0","id":1,"method":"log_get_level","x":1}',
    '{"id":1,"method":"log_get_level","params":{"a":1,"a":2}}')


class Texts:
    """Makes JSON texts.

    :param random: a :class:`random.Random`.
    :param buffer: bytes that the release takes for one request.
    :param values: JSON values that the release takes in one request.
    :param called: dict: today's name of a method -> its name there.
    :ivar calls: calls that may be made.
    """

    def __init__(self, random, buffer, values, called):
        self.random = random
        self.called = called
        self.buffer = buffer
        self.values = values
        self.late(True)

    def late(self, wanted):
        """Tell whether there may be calls that are answered later."""
        self.calls = _CALLS + (_LATE if wanted else ())

    def item(self):
        """A text of some kind, whole or not (bytes)."""
        kind = self.random.random()
        if kind < 0.55:
            return self.call()
        if kind < 0.75:
            return self.batch()
        if kind < 0.80:
            return self.random.choice(_WRONG_STRINGS)
        if kind < 0.86:
            return self._number().encode()
        if kind < 0.90:
            return self._deep()
        if kind < 0.92:
            return self._large()
        return self.random.choice(_SPOILT).encode()

    def call(self):
        """One call, mostly right."""
        parts = [b'"method":' + self._method()] \
            if self.random.random() < 0.15 else self._named()
        if self.random.random() < 0.8:
            parts.append(b'"jsonrpc":"2.0"')
        if self.random.random() < 0.9:
            parts.append(b'"id":' + self._id())
        self.random.shuffle(parts)
        return b'{' + self.blank() + (self.blank() + b',').join(parts) \
            + self.blank() + b'}'

    def _named(self):
        if self.random.random() < 0.25:
            method, params = self.random.choice(_NUMBERED)
            params = params % self._number()
        else:
            method, params = self.random.choice(self.calls)
        parts = [f'"method":"{self.called.get(method, method)}"'.encode()]
        if params is not None:
            parts.append(b'"params":' + params.encode())
        return parts

    def _method(self):
        return self.random.choice(_STRINGS).encode()

    def _number(self):
        wrong = self.random.random() < 0.1
        return self.random.choice(_WRONG_NUMBERS if wrong else _NUMBERS)

    def _id(self):
        kind = self.random.random()
        if kind < 0.5:
            return str(self.random.randrange(100)).encode()
        if kind < 0.7:
            return self._number().encode()
        if kind < 0.9:
            return self.random.choice(_STRINGS).encode()
        return self.random.choice((b'null', b'true', b'[]', b'{}', b'[1]'))

    def batch(self):
        """An array of calls and other values."""
        items = [self.call() if self.random.random() < 0.85
                 else self.random.choice((b'1', b'null', b'[]', b'{}',
                                          b'"a"', b'[{}]', b'{"id":1}'))
                 for _ in range(self.random.choice((0, 1, 1, 2, 3, 5)))]
        return b'[' + (self.blank() + b',').join(items) + b']'

    def _deep(self):
        """A value of a depth about the limit."""
        depth = self.random.choice((5, 62, 63, 64, 65, 70))
        opening, closing = self.random.choice(((b'[', b']'),
                                               (b'{"a":', b'}')))
        text = opening * depth
        if self.random.random() < 0.8:
            text += b'1' + closing * depth
        if self.random.random() < 0.5:
            text = b'{"id":1,"method":"log_get_level","params":' + text + b'}'
        return text

    def _large(self):
        """A request of a size, or a number of values, about the limit."""
        around = self.random.choice((-2, -1, 0, 1, 2, 3))
        head = b'{"id":1,"method":"log_get_level","params":'
        kind = self.random.randrange(4)
        if kind == 0:
            # Begin, three names, two values, two brackets, end.
            body = b'[' + b','.join([b'1'] * (self.values - 9 + around)) \
                + b']'
        elif kind == 1:
            body = b'"' + b'x' * (self.buffer - len(head) - 3 + around) + b'"'
        elif kind == 2:
            return b' ' * (self.buffer - 40 + around) + self.call()
        else:
            return (self.call() + b'\n') * (self.random.randrange(1, 9)
                                            * self.values // 64)
        return head + body + b'}'

    def blank(self):
        """Blanks, mostly none."""
        return self.random.choice((b'', b'', b'', b' ', b'\n', b'\t\r\n '))
