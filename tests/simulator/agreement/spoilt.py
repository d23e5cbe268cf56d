# SPDX-License-Identifier: Apache-2.0


"""Configuration files that have something wrong with them."""

import json
import re

_STRANGE = (None, 1, 'x', [], {}, True, [[]], {'a': 1})


def _cut(random, config, text):
    return text[:random.randrange(len(text))]


def _garble(random, config, text):
    place = random.randrange(len(text))
    return text[:place] + random.choice('{}[],:"x0\\') + text[place + 1:]


def _comment(random, config, text):
    lines = text.split('\n')
    lines.insert(random.randrange(len(lines)),
                 random.choice(('// x', '/* x */', '/* x', '# x')))
    return '\n'.join(lines)


def _whole(random, config, text):
    return random.choice((
        '', ' ', '\n', '{}', '[]', 'null', '1', '"x"', '{"subsystems": {}}',
        '{"subsystems": null}', '{"subsystems": [1]}', text + 'x',
        text + '}', '{"subsystems": []}', '{"subsystem": []}', '[' + text
        + ']', '{"subsystems": [{"subsystem": "bdev"}]}',
        '{"subsystems": [{"subsystem": 1, "config": null}]}',
        '{"subsystems": [{"subsystem": "bdev", "config": {}}]}',
        '{"subsystems": [{"subsystem": "bdev", "config": null, "x": 1}]}'))


def _subsystem(random, config, text):
    items = config['subsystems']
    item = random.choice(items)
    kind = random.randrange(5)
    if kind == 0:
        item['subsystem'] = random.choice(('nosuch', '', 1, None))
    elif kind == 1:
        item['config'] = random.choice(_STRANGE)
    elif kind == 2:
        item['extra'] = 1
    elif kind == 3:
        items.append(item)
    else:
        random.shuffle(items)
    return json.dumps(config)


def _calls(config):
    return [(item['config'], index, call) for item in config['subsystems']
            if isinstance(item['config'], list)
            for index, call in enumerate(item['config'])
            if isinstance(call, dict)]


def _entry(random, config, text):
    found = _calls(config)
    if not found:
        return text
    calls, index, call = random.choice(found)
    kind = random.randrange(8)
    if kind == 0:
        call['method'] = random.choice((
            'no_such_method', '', 1, 'framework_start_init',
            'spdk_get_version', 'bdev_get_bdevs', 'rpc_get_methods'))
    elif kind == 1:
        call['params'] = random.choice(_STRANGE)
    elif kind == 2:
        calls[index] = random.choice(_STRANGE)
    elif kind == 3:
        call['extra'] = 1
    elif kind == 4:
        calls.insert(index, call)
    elif kind == 5:
        call.pop('method')
    elif kind == 6:
        params = call.setdefault('params', {})
        params[random.choice(list(params) or ['x'])] = random.choice(
            _STRANGE)
    else:
        end = random.randrange(index, len(calls)) + 1
        calls[index:end] = [calls[index:end]]
    return json.dumps(config)


_WAYS = (_cut, _garble, _comment, _whole, _subsystem, _entry, _entry,
         _entry)


def spoil(random, data):
    """Change a configuration file.

    :param random: a :class:`random.Random`.
    :param data: the file (bytes).
    :returns: bytes.
    """
    text = data.decode()
    way = random.choice(_WAYS)
    return way(random, json.loads(text), text).encode()


def shown(arguments, data):
    """Arguments and a file as text for a person."""
    text = re.sub(r'\s+', ' ', data.decode(errors='replace'))
    return json.dumps({'"method": "-c"': arguments, 'file': text})
