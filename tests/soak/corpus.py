# SPDX-License-Identifier: Apache-2.0

"""What the fuzzer has found to be different from each other.

A file for each function of :mod:`tests.soak.inputs`, an input to a line, in
base64.
"""

import base64
import os

_DIRECTORY = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                          'corpora')


def _path(name):
    return os.path.join(_DIRECTORY, f'{name}.txt')


def load(name):
    """The inputs of a function, a list of bytes."""
    if not os.path.exists(_path(name)):
        return []
    with open(_path(name)) as stream:
        return [base64.b64decode(line) for line in stream]


def save(name, inputs):
    """Keep inputs in the place of those that there are."""
    os.makedirs(_DIRECTORY, exist_ok=True)
    with open(_path(name), 'w') as stream:
        for one in sorted(set(inputs)):
            stream.write(base64.b64encode(one).decode() + '\n')
