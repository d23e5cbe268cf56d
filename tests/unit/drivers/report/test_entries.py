# SPDX-License-Identifier: Apache-2.0

import json
import string

import hypothesis
from hypothesis import strategies as st
import testtools

from cyborg_spdk import conf
from cyborg_spdk.drivers.report import cyborg_limits
from cyborg_spdk.drivers.report import entries
from cyborg_spdk import exceptions
from cyborg_spdk.units import unit as unit_module


def target(name='spdk_nvmf', resource_class='CUSTOM_SPDK_NVMF'):
    return conf.Target(
        name=name, kind='nvmf', application='nvmf_tgt', rpc_address='/s',
        start=False, core_mask=None, memory_mb=512, no_huge=False,
        interrupt_mode=False, config_file=None, save_config=False,
        extra_args=(), resource_class=resource_class)


def unit(nqn='nqn.2016-06.io.spdk:a', nsid='1', traits=('CUSTOM_SPDK',)):
    return unit_module.Unit(
        handle=unit_module.canonical({'nqn': nqn, 'nsid': nsid}),
        title=f'{nqn} namespace {nsid}', traits=traits, bdev='b', size=1)


_HOSTS = st.text(string.ascii_letters + string.digits + '.-', min_size=1,
                 max_size=253)
_TARGETS = st.from_regex(r'\A[a-z0-9][a-z0-9_-]{0,62}\Z')
_NQNS = st.text(min_size=1, max_size=223)


class NameTest(testtools.TestCase):

    def test_it_says_host_target_and_unit(self):
        name = entries.name('node-1.example.com', 'spdk_nvmf', unit().handle)
        self.assertTrue(name.startswith(
            'node-1_example_com_spdk_nvmf_nqn_2016-06_io_spdk_a_1-'), name)

    @hypothesis.given(_HOSTS, _TARGETS, _NQNS)
    def test_placement_takes_every_name(self, host, name, nqn):
        made = entries.name(host, name, unit(nqn).handle)
        cyborg_limits.provider_name(made)
        self.assertIn(entries.mark(host, name), made)

    def test_what_is_spelt_alike_is_kept_apart(self):
        names = {entries.name(host, name, unit(nqn).handle)
                 for host in ('a.b', 'a_b', 'A.b') for name in ('c', 'c_d')
                 for nqn in ('nqn.x:y', 'nqn.x.y', 'nqn.X:y')}
        self.assertEqual(18, len(names))
        self.assertEqual(18, len({name.lower() for name in names}))

    def test_the_mark_of_one_device_is_in_no_other_device(self):
        other = entries.name('h', 'a_b', unit().handle)
        self.assertNotIn(entries.mark('h', 'a'), other)


class ControlPathTest(testtools.TestCase):

    @hypothesis.given(st.text(min_size=1, max_size=300), _TARGETS)
    def test_cyborg_can_keep_it(self, host, name):
        cyborg_limits.flat('control path', entries.control_path(host, name))

    def test_keys_in_one_order(self):
        self.assertEqual('{"host":"h","target":"t"}',
                         entries.control_path('h', 't'))


class ValidateTest(testtools.TestCase):

    def test_longest_nqn_fits(self):
        nqn = 'nqn.2016-06.io.spdk:' + 'x' * 203
        self.assertEqual(223, len(nqn))
        good, bad = entries.of_units('h', target(), [
            unit(nqn, '4294967294')])
        self.assertEqual([], bad)
        self.assertEqual(1, len(good))

    def test_one_bad_unit_is_named_and_blocks_no_other(self):
        for wrong in (unit('n' * 250), unit(traits=('custom',)),
                      unit(traits=('CUSTOM_' + 'X' * 250,)),
                      unit('nqn.ü' * 60)):
            good, bad = entries.of_units('h', target(), [wrong, unit()])
            self.assertEqual([wrong], [pair[0] for pair in bad])
            self.assertIsInstance(bad[0][1], exceptions.InvalidValue)
            self.assertEqual([unit().handle],
                             [entry.handle for entry in good.values()])

    def test_resource_class(self):
        _good, bad = entries.of_units('h', target(resource_class='SPDK'),
                                      [unit()])
        self.assertIn("resource class 'SPDK': CUSTOM_", str(bad[0][1]))

    def test_handles_that_would_break_a_bind(self):
        for value in ([], {'a': 1}, {'a': {'b': 'c'}}, 'x'):
            self.assertRaises(exceptions.InvalidValue, cyborg_limits.flat,
                              'attach handle', json.dumps(value))
