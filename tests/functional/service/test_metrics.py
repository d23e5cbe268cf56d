# SPDX-License-Identifier: Apache-2.0

"""/metrics of the service as a process, beside what the targets say."""

import os
import signal
import time

from prometheus_client.openmetrics import parser
import requests

from cyborg_spdk.host.target import lifecycle
from cyborg_spdk.service.metrics import cache
from tests.functional.fixtures import host
from tests.functional.service import serving

_NQN = 'nqn.2016-06.io.spdk:cnode1'
_UNIT = f'{_NQN} namespace 1'


class Case(serving.ServeCase):
    """A host with one unit."""

    def setUp(self):
        super().setUp()
        self.service_options['metrics_cache'] = 0.5
        lifecycle.ensure(self.host.conf, self.host.target('nvmf'))
        client = self.host.client('nvmf')
        client.call('bdev_malloc_create', name='Malloc0', block_size=512,
                    num_blocks=2048)
        client.call('bdev_set_qos_limit', name='Malloc0',
                    rw_mbytes_per_sec=100)
        client.call('nvmf_create_transport', trtype='TCP')
        client.call('nvmf_create_subsystem', nqn=_NQN, allow_any_host=True)
        client.call('nvmf_subsystem_add_ns', nqn=_NQN,
                    namespace={'bdev_name': 'Malloc0'})

    def scrape(self):
        answer = requests.get(f'http://127.0.0.1:{self.port}/metrics',
                              timeout=60)
        self.assertEqual(200, answer.status_code)
        return {(sample.name, tuple(sorted(sample.labels.items()))):
                sample.value
                for family in parser.text_string_to_metric_families(
                    answer.text) for sample in family.samples}

    def wait_for_sample(self, name, value=None, **labels):
        """All samples, once that one is there (and has the value)."""
        key = name, tuple(sorted(labels.items()))

        def look():
            found = self.scrape()
            return found if key in found and value in (
                None, found[key]) else None
        return host.wait_until(look, f'{name} {labels} on /metrics')


class MetricsTest(Case):

    def test_counters_equal_those_of_the_target(self):
        self.serve()
        found = self.wait_for_sample('cyborg_spdk_target_up', 1,
                                     target='nvmf', kind='nvmf')
        found = host.wait_until(self.in_between, 'counters as the target '
                                                 'has them')
        self.assertEqual(100, found['cyborg_spdk_unit_qos_limit', (
            ('limit', 'rw_mbytes_per_sec'), ('target', 'nvmf'),
            ('unit', _UNIT))])
        names = {name for name, _labels in found}
        for name in ('reactor_busy_seconds_total', 'target_memory_bytes',
                     'target_answer_seconds', 'iobuf_retries_total',
                     'queue_pairs', 'subsystem_hosts', 'duty_ok',
                     'transport_queue_depth', 'unit_state'):
            self.assertIn(f'cyborg_spdk_{name}', names)

    def in_between(self):
        """All samples, if the counters are what the target says they are.

        It counts on meanwhile: the simulator reads the bdev by itself.
        """
        before, found, after = self.told(), self.scrape(), self.told()
        return found if all(
            before[name] <= found[
                f'cyborg_spdk_unit_{ours}_total',
                (('op', op), ('target', 'nvmf'), ('unit', _UNIT))]
            <= after[name]
            for name, op, ours in (
                ('num_read_ops', 'read', 'operations'),
                ('num_write_ops', 'write', 'operations'),
                ('bytes_read', 'read', 'bytes'),
                ('bytes_written', 'write', 'bytes'),
                ('bytes_unmapped', 'unmap', 'bytes'))) else None

    def told(self):
        return next(
            one for one in self.host.client('nvmf').call(
                'bdev_get_iostat')['bdevs'] if one['name'] == 'Malloc0')

    def test_a_target_that_hangs_delays_nobody(self):
        self.service_options['missed_answers'] = 2
        self.serve()
        self.wait_for_sample('cyborg_spdk_target_up', 1, target='nvmf',
                             kind='nvmf')
        pid = self.pid('nvmf')
        os.kill(pid, signal.SIGSTOP)
        self.addCleanup(os.kill, pid, signal.SIGCONT)
        self.wait_for_sample('cyborg_spdk_target_state', 1, target='nvmf',
                             state='hangs')
        began = time.monotonic()
        found = self.wait_for_sample('cyborg_spdk_target_up', 0,
                                     target='nvmf', kind='nvmf')
        # Others are told of as ever; one scrape may have waited.
        self.assertEqual(1, found['cyborg_spdk_target_up', (
            ('kind', 'vhost'), ('target', 'vhost'))])
        self.assertLess(time.monotonic() - began, 10 * cache.PATIENCE)

    def test_restarts_are_counted(self):
        self.serve()
        os.kill(self.pid('nvmf'), signal.SIGKILL)
        self.wait_for_sample('cyborg_spdk_target_restarts_total', 1,
                             target='nvmf')

    def test_latencies_in_buckets(self):
        self.service_options['latency_histograms'] = True
        self.serve()
        self.wait_for_sample(
            'cyborg_spdk_unit_io_latency_seconds_bucket', target='nvmf',
            unit=_UNIT, le='+Inf')
