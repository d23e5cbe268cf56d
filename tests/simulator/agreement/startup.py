# SPDX-License-Identifier: Apache-2.0


"""Sequences of calls before the framework is initialized."""

import json

from tests.simulator.agreement import sequences

#: What shows the effects afterwards.
_SHOWN = (
    ('framework_get_scheduler', None), ('framework_get_governor', None),
    ('sock_impl_get_options', {'impl_name': 'posix'}),
    ('sock_impl_get_options', {'impl_name': 'ssl'}),
    ('sock_get_default_impl', None), ('log_get_level', None),
    ('log_get_print_level', None), ('accel_get_opc_assignments', None),
    ('dpdk_cryptodev_get_driver', None),
    ('framework_get_config', {'name': 'fsdev'}))


class Startup(sequences.Sequence):
    """Options are set, then the framework is initialized."""

    ARGUMENTS = ('--wait-for-rpc',)

    def __init__(self, session, pair, source):
        super().__init__(session, pair, source)
        current = self.ask('rpc_get_methods', current=True)['result']
        self.early = [name for name in self.world.methods
                      if name in current]

    def run(self, length, end=None):
        """Make calls, initialize, look at the effects, make some more."""
        for _ in range(self.random.randrange(3, max(4, length // 3))):
            pool = self.early if self.random.random() < 0.95 \
                else self.world.methods
            text = self.world.request(self.random.choice(pool))
            if text is not None and not self.make(text):
                return
        for method in ('framework_start_init', 'framework_wait_init'):
            if not self.make(json.dumps({
                    'jsonrpc': '2.0', 'id': 1, 'method': method})):
                return
        if self.compare(_SHOWN):
            super().run(10, end)
