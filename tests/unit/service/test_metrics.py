# SPDX-License-Identifier: Apache-2.0

"""What /metrics says, and that names from SPDK cannot say more."""

import json
import sys
import threading
import time
from unittest import mock

from hypothesis import given
from hypothesis import strategies
from oslo_config import cfg
from prometheus_client.openmetrics import parser
import testtools

from cyborg_spdk import conf as spdk_conf
from cyborg_spdk.service import duty as duties
from cyborg_spdk.service.metrics import cache
from cyborg_spdk.service.metrics import exposition
from cyborg_spdk.service.metrics import of_units
from cyborg_spdk.service.metrics import reading
from cyborg_spdk.service import options
from cyborg_spdk.units import stats
from cyborg_spdk.units import unit as unit_module
from cyborg_spdk.units.wipe import progress
from cyborg_spdk.units.wipe import state as wipe_state

_TARGET = spdk_conf.Target(
    'nvmf', 'nvmf', 'nvmf_tgt', '/run/nvmf.sock', True, None, 512, False,
    False, None, True, (), 'CUSTOM_SPDK_NVMF')


def unit(title='cnode1 namespace 1', bdev='Malloc0', **values):
    return unit_module.Unit(
        handle=json.dumps({'nqn': title, 'nsid': '1'}), title=title,
        traits=(), bdev=bdev, size=1 << 20, **values)


def cached(*units, states=(), gone=(), histograms=(), **replies):
    contents = unit_module.Contents(units, {'version': 'v26.05'})
    look = stats.Look(contents, replies, {}, {'resident': 1}, 0.0)
    return cache.Cached(_TARGET, reading.Reading(
        look, [], [], dict(histograms), dict(states), frozenset(gone), (),
        0.1), 0.0, None)


def parsed(text):
    """Samples of a text: dict by name and sorted labels."""
    return {(sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in parser.text_string_to_metric_families(text)
            for sample in family.samples}


def of(found, name, **labels):
    return found[name, tuple(sorted(labels.items()))]


class UnitsTest(testtools.TestCase):

    def samples(self, *args, **kwargs):
        return parsed(of_units.text([cached(*args, **kwargs)]) + '# EOF\n')

    def test_counters_are_those_of_the_target(self):
        counted = {'name': 'Malloc0', 'bytes_read': 2 ** 60 + 4096,
                   'num_read_ops': 7, 'read_latency_ticks': 3_000_000,
                   'bytes_written': 512, 'num_write_ops': 1}
        found = self.samples(unit(), bdev_get_iostat={
            'tick_rate': 1_000_000, 'ticks': 1, 'bdevs': [counted]})
        where = {'target': 'nvmf', 'unit': 'cnode1 namespace 1'}
        self.assertEqual(2 ** 60 + 4096, of(
            found, 'cyborg_spdk_unit_bytes_total', op='read', **where))
        self.assertEqual(7, of(
            found, 'cyborg_spdk_unit_operations_total', op='read', **where))
        self.assertEqual(3.0, of(
            found, 'cyborg_spdk_unit_latency_seconds_total', op='read',
            **where))
        self.assertEqual(512, of(
            found, 'cyborg_spdk_unit_bytes_total', op='write', **where))

    def test_states(self):
        units = [unit(word) for word in ('a', 'b', 'c', 'd')]
        units.append(unit('e', bdev=None))
        going = progress.Progress('zeroes', 256, 1024, 1.0)
        states = dict(zip([one.handle for one in units], [
            wipe_state.State(True), wipe_state.State(False),
            wipe_state.State(False, 'x', in_use=True),
            wipe_state.State(False, cleaning=going),
            wipe_state.State(True)], strict=True))
        found = self.samples(*units, states=states.items(),
                             gone=['{"nqn":"f"}', units[4].handle])
        self.assertEqual(
            {'a': 'clean', 'b': 'dirty', 'c': 'in use', 'd': 'cleaning',
             'e': 'missing', '{"nqn":"f"}': 'missing'},
            {dict(labels)['unit']: dict(labels)['state']
             for name, labels in found if name == 'cyborg_spdk_unit_state'})
        self.assertEqual(0.25, of(
            found, 'cyborg_spdk_unit_wipe_ratio', target='nvmf', unit='d',
            step='zeroes'))

    def test_limits_and_latencies(self):
        counts = list(range(len(reading.BORDERS) + 1))
        found = self.samples(
            unit(limits=(('rw_mbytes_per_sec', 100),)),
            histograms=[('Malloc0', counts)])
        where = {'target': 'nvmf', 'unit': 'cnode1 namespace 1'}
        self.assertEqual(100, of(
            found, 'cyborg_spdk_unit_qos_limit', limit='rw_mbytes_per_sec',
            **where))
        name = 'cyborg_spdk_unit_io_latency_seconds_bucket'
        self.assertEqual(counts[-1], of(found, name, le='+Inf', **where))
        self.assertEqual(2, of(found, name, le='5e-05', **where))

    @given(strategies.text())
    def test_names_are_escaped(self, title):
        found = self.samples(unit(title))
        self.assertEqual(
            [title.encode('utf-8', 'replace').decode()],
            [dict(labels)['unit'] for name, labels in found
             if name == 'cyborg_spdk_unit_size_bytes'])


class ApplicationTest(testtools.TestCase):

    def setUp(self):
        super().setUp()
        self.conf = cfg.ConfigOpts()
        self.conf([])
        spdk_conf.register(self.conf)
        options.register(self.conf)
        self.states = {}
        self.metrics = exposition.Metrics(
            self.conf, lambda: [], lambda: self.states)

    def ask(self):
        def start_response(status, headers):
            self.status, self.headers = status, dict(headers)
        return b''.join(self.metrics(
            {'REQUEST_METHOD': 'GET'}, start_response)).decode()

    def test_without_the_library(self):
        with mock.patch.dict(sys.modules, {'prometheus_client': None}):
            body = self.ask()
        self.assertEqual('501 Not Implemented', self.status)
        self.assertIn('pip install cyborg-spdk[metrics]', body)

    def test_plugs_and_wipes_and_duties(self):
        plug = {'instance': 'i', 'name': 'n', 'unit': 'u', 'device': '',
                'target': 'vhost', 'state': 'waiting', 'why': 'no memory'}
        self.states = {
            'plug': duties.State(3, outcome=duties.Outcome(
                ('no memory',), {'plugs': [plug, {
                    **plug, 'state': 'plugged', 'why': ''}]})),
            'wipe': duties.State(1, outcome=duties.Outcome(facts={
                'wiped_in_all': 5, 'failed_in_all': 1})),
            'broken "\n\\ name': duties.State(1, error='it failed')}
        found = parsed(self.ask())
        self.assertEqual('200 OK', self.status)
        self.assertIn('openmetrics-text', self.headers['Content-Type'])
        self.assertEqual(1, of(found, 'cyborg_spdk_plugs', target='vhost',
                               state='waiting'))
        self.assertEqual(1, of(found, 'cyborg_spdk_plug_problems',
                               target='vhost'))
        self.assertEqual(5, of(found, 'cyborg_spdk_wipes_total',
                               result='wiped'))
        self.assertEqual(0, of(found, 'cyborg_spdk_duty_ok', duty='plug'))
        self.assertEqual(0, of(found, 'cyborg_spdk_duty_ok',
                               duty='broken "\n\\ name'))
        self.assertEqual(3, of(found, 'cyborg_spdk_duty_runs_total',
                               duty='plug'))


class EntryTest(testtools.TestCase):
    """A target that does not answer, and the scrapes meanwhile."""

    def test_one_reading_at_a_time(self):
        answer, reads = threading.Event(), []

        def read():
            reads.append(1)
            answer.wait(60)
            return cached().reading

        entry = cache._Entry(_TARGET, read, lambda: None)
        done = entry.refresh(5.0)
        # The next ones do not wait for what the first one is owed.
        self.assertIsNone(entry.refresh(5.0))
        self.assertIsNone(entry.cached().reading)
        answer.set()
        self.assertTrue(done.wait(60))
        self.assertIsNotNone(entry.cached().reading)
        self.assertIsNone(entry.refresh(60.0))
        self.assertEqual(1, len(reads))

    def test_a_failure_is_told_and_tried_again(self):
        def read():
            raise ValueError('a reply that nobody sends')

        closed = []
        entry = cache._Entry(_TARGET, read, lambda: closed.append(1))
        for _ in range(2):
            self.assertTrue(entry.refresh(5.0).wait(60))
        self.assertIn('nobody sends', entry.cached().error)
        entry.close()
        self.assertIsNone(entry.refresh(5.0))
        self.assertEqual([1], closed)

    def test_a_scrape_waits_for_a_bounded_time(self):
        conf = cfg.ConfigOpts()
        conf([])
        spdk_conf.register(conf)
        options.register(conf)
        silent = threading.Event()
        self.addCleanup(silent.set)
        with mock.patch.object(reading.Reader, 'read',
                               lambda _reader: silent.wait(60)):
            cached_readings = cache.Cache(conf)
            began = time.monotonic()
            cached_readings.get([_TARGET])
            self.assertGreaterEqual(time.monotonic() - began,
                                    cache.PATIENCE - 0.1)
            began = time.monotonic()
            found = cached_readings.get([_TARGET])
            self.assertLess(time.monotonic() - began, cache.PATIENCE)
        self.assertIsNone(found[0].reading)
