# SPDX-License-Identifier: Apache-2.0

"""A call as the release of a target takes it.

SPDK refuses a call for any parameter that it does not know. What a release
lacks is left out at the time of sending, and told; where that would change
who gets in, or what a disk is, the object is refused instead.
"""

import collections
import typing

from cyborg_spdk.desired import kinds
from cyborg_spdk.desired import objects as desired_objects
from cyborg_spdk import exceptions
from cyborg_spdk import rpc

#: Never left out, but with a value that says the same as leaving it out.
PROTECTED = frozenset({
    'psk', 'dhchap_key', 'dhchap_ctrlr_key', 'key', 'key2', 'key_name',
    'secure_channel', 'no_auto_visible', 'allow_any_host', 'readonly',
    'nguid', 'eui64', 'nsid', 'superblock', 'md_size', 'dif_type',
    'dif_is_head_of_md', 'ptpl_file', 'mutual_chap', 'require_chap'})
#: uuid is, too, where an initiator sees it.
_SEEN_UUID = 'namespace.uuid'
_NEUTRAL: tuple[typing.Any, ...] = (False, 0, None, '', 'none')


class Fitter:
    """Fits calls to one target.

    :param client: a connection to it.
    :ivar left_out: how often each parameter was left out:
        ``{'bdev_malloc_create.numa_id': 4096}``.
    """

    def __init__(self, client: rpc.Client):
        self._client = client
        self._known: dict[tuple[str, str], bool] = {}
        self.left_out: collections.Counter[str] = collections.Counter()

    def fit(self, one: desired_objects.Object,
            params: kinds.Params) -> kinds.Params:
        """The parameters of an object's call that the target takes.

        :raises MethodNotFound: if the target has no such method.
        :raises InvalidParams: if it lacks a parameter that matters.
        """
        method = str(one.method)
        if not self._takes(method, ''):
            raise exceptions.rpc_error(
                -32601, 'Method not found', method, None,
                f'{self._release} has no such method')
        return {name: self._members(method, name, value)
                for name, value in params.items()
                if self._keeps(method, name, value)}

    def _members(self, method: str, name: str,
                 value: typing.Any) -> typing.Any:
        if not isinstance(value, dict):
            return value
        return {member: one for member, one in value.items()
                if self._keeps(method, f'{name}.{member}', one)}

    def _keeps(self, method: str, name: str, value: typing.Any) -> bool:
        if self._takes(method, name):
            return True
        last = name.rpartition('.')[2]
        if (last in PROTECTED or name == _SEEN_UUID) \
                and value not in _NEUTRAL:
            raise exceptions.rpc_error(
                -32602, 'Invalid parameters', method, None,
                f'{self._release} does not know {name}, which cannot be '
                'left out')
        self.left_out[f'{method}.{name}'] += 1
        return False

    def _takes(self, method: str, name: str) -> bool:
        known = self._known.get((method, name))
        if known is None:
            known = self._client.supports(method, name) if name else \
                self._client.has(method)
            self._known[method, name] = known
        return known

    @property
    def _release(self) -> str:
        return f'SPDK {self._client.version}' if self._client.version \
            else 'this release'
