# SPDX-License-Identifier: Apache-2.0

import testtools

from cyborg_spdk.units import stats
from cyborg_spdk.units import unit as unit_module

_UNITS = tuple(
    unit_module.Unit(handle=handle, title=title, traits=(), bdev=bdev,
                     size=512)
    for handle, title, bdev in (
        ('{"nqn":"nqn.x:a","nsid":"1"}', 'a 1', 'A'),
        ('{"nqn":"nqn.x:ab","nsid":"1"}', 'ab 1', 'B')))


def _look(ticks, reads=0, read_ticks=0, hosts=None, found=_UNITS, when=0.0,
          **replies):
    return stats.Look(
        contents=unit_module.Contents(units=tuple(found), facts={}),
        replies={'bdev_get_iostat': {
            'tick_rate': 1000, 'ticks': ticks, 'bdevs': [
                {'name': 'A', 'num_read_ops': reads, 'bytes_read':
                 reads * 4096, 'read_latency_ticks': read_ticks,
                 'num_write_ops': 0}]}, **replies},
        hosts=hosts or {}, memory={}, when=when)


class UnitRatesTest(testtools.TestCase):

    def test_rates_latency_and_queue_depth(self):
        first, second = stats.unit_rates(
            _look(1000, reads=100, read_ticks=50),
            _look(3000, reads=300, read_ticks=8050))
        # 200 reads in 2 s; 8000 ticks of latency: 40 ms each, four at once.
        self.assertEqual((100.0, 409600.0, 40000.0, None, 0.0, 4.0), (
            first['read_iops'], first['read_bytes'],
            first['read_latency_us'], first['write_latency_us'],
            first['write_iops'], first['queue_depth']))
        self.assertIsNone(second['read_iops'])

    def test_counters_that_began_anew(self):
        rates = stats.unit_rates(_look(1000, reads=100),
                                 _look(2000, reads=7))[0]
        self.assertEqual(7.0, rates['read_iops'])

    def test_a_target_that_began_anew(self):
        rates = stats.unit_rates(_look(9000, reads=9), _look(1000))[0]
        self.assertIsNone(rates['read_iops'])

    def test_a_target_that_does_not_tell_the_time(self):
        # Its tick_rate alone, as before v20.01.
        rates = stats.unit_rates(_look(0, reads=2, when=10.0),
                                 _look(0, reads=12, when=12.0))[0]
        self.assertEqual(5.0, rates['read_iops'])

    def test_reply_of_old_releases(self):
        look = _look(0)
        look.replies['bdev_get_iostat'] = [
            {'tick_rate': 1000}, {'name': 'A', 'num_read_ops': 5}]
        counters, clock = stats.bdev_counters(look)
        self.assertEqual((5, 1000, 0), (
            counters['A']['num_read_ops'], clock['tick_rate'],
            clock['ticks']))


class HostsTest(testtools.TestCase):

    def test_of_the_very_subsystem(self):
        look = _look(0, hosts={'nqn.x:a': 2, 'nqn.x:ab': 0})
        self.assertEqual([2, 0], [stats.hosts_of(look, unit.handle)
                                  for unit in _UNITS])

    def test_unknown(self):
        self.assertIsNone(stats.hosts_of(_look(0), _UNITS[0].handle))

    def test_of_a_vhost_socket(self):
        look = _look(0, hosts={'/run/c.1': 1})
        for handle, number in (('{"socket":"/run/c.1"}', 1),
                               ('{"socket":"/run/c.1","target":"0"}', 1),
                               ('{"socket":"/run/c.10"}', None)):
            self.assertEqual(number, stats.hosts_of(look, handle))

    def test_of_an_iscsi_node_by_its_short_name(self):
        look = _look(0, hosts={'disk1': 3}, iscsi_get_connections=[])
        for iqn, number in (('iqn.2016-06.io.spdk:disk1', 3),
                            ('iqn.2016-06.io.spdk:disk12', 0),
                            ('iqn.2016-06.io.spdk:a:disk1', 0)):
            self.assertEqual(number, stats.hosts_of(
                look, f'{{"iqn":"{iqn}","lun":"0"}}'))

    def test_names_beyond_ascii(self):
        look = _look(0, hosts={'/run/ü': 2})
        self.assertEqual(2, stats.hosts_of(look, unit_module.canonical(
            {'socket': '/run/ü'})))


class TargetRatesTest(testtools.TestCase):

    @staticmethod
    def reactors(busy, idle):
        return {'reactors': [{'lcore': 1, 'busy': busy, 'idle': idle}]}

    def test_load_queue_pairs_and_accel(self):
        rates = stats.target_rates(
            _look(1000, framework_get_reactors=self.reactors(100, 100)),
            _look(3000, framework_get_reactors=self.reactors(130, 190),
                  nvmf_get_stats={'poll_groups': [
                      {'current_admin_qpairs': 1, 'current_io_qpairs': 4,
                       'pending_bdev_io': 2}] * 2},
                  accel_get_stats={'operations': [
                      {'opcode': 'copy', 'executed': 50}]}))
        self.assertEqual([(1, 0.25)], rates['reactors'])
        self.assertEqual((10, 4), (rates['queue_pairs'], rates['pending']))
        self.assertEqual({'copy': 25.0}, rates['accel'])

    def test_what_the_target_does_not_tell(self):
        rates = stats.target_rates(_look(0), _look(1))
        self.assertEqual(([], None, None, {}, 0), (
            rates['reactors'], rates['queue_pairs'], rates['pending'],
            rates['accel'], rates['retries']))
