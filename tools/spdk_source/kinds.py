# SPDX-License-Identifier: Apache-2.0
"""SPDK's types of parameters in the words of its own schema."""

from typing import Any

from spdk_source import release

#: Types that a decoder of SPDK's own reads.
PLAIN = ('string', 'uuid', 'boolean', 'uint8', 'uint16', 'uint32', 'uint64',
         'int32')
#: A type that has many forms, or that the code does not tell.
ANY = 'any'


def of(decoder: str, one: release.Release) -> Any:
    """The type of a parameter.

    :param decoder: the function that decodes it.
    :param one: the release.
    :returns: one of :data:`PLAIN`, ``'object'``, ``'array of ...'``,
        :data:`ANY`, or a list of the words that it may be.
    """
    kind = 'boolean' if decoder == 'bool' else decoder
    if kind in PLAIN:
        return kind
    spec = one.nested.get(decoder)
    if spec is None:
        kind = one.plain[decoder]
        return 'boolean' if kind == 'bool' else kind or ANY
    if 'choice' in spec:
        return spec['choice']
    if 'fields' in spec:
        return 'object'
    element = of(spec['array'], one)
    return f'array of {"string" if isinstance(element, list) else element}'


def shape(kind: Any) -> str:
    """What JSON has for a type: ``'string'``, ``'number'``, ..."""
    if isinstance(kind, list) or kind in ('string', 'uuid'):
        return 'string'
    if ' or ' in kind:
        return ANY
    if 'int' in kind.partition(' ')[0]:
        return 'number'
    return str(kind.partition(' ')[0])
