# SPDX-License-Identifier: Apache-2.0

import contextlib
import importlib.metadata
import io
import json
import os
import pathlib
import sys
import unittest

import fixtures

from cyborg_spdk import rpc
from cyborg_spdk.rpc.protocol import catalogue
from cyborg_spdk.rpc.protocol import parameters
from tests.unit.tools import sources

ROOT = pathlib.Path(__file__).resolve().parents[3]
#: A checkout of SPDK with all tags, to compare the tables with.
CHECKOUT = os.environ.get('CYBORG_SPDK_TEST_SPDK_SOURCE')
_RECORDED = pathlib.Path(__file__).with_name('schema_v26.05.json')

sys.path.insert(0, str(ROOT / 'tools'))
import spdk_facts  # noqa: E402
from spdk_source import by_hand  # noqa: E402
from spdk_source import checkout  # noqa: E402
from spdk_source import history  # noqa: E402
from spdk_source import output  # noqa: E402
from spdk_source import release  # noqa: E402


class MadeUpTest(fixtures.TestWithFixtures):
    """The generator on a source tree that shows each way of writing it."""

    def setUp(self):
        super().setUp()
        self.maxDiff = None
        self.source = self.useFixture(sources.Repository()).path
        for name, value in (
                ('NEXT_COMMIT', 'HEAD'), ('NEXT_METHODS', {
                    'thing_free': None, 'thing_new': {'fields': []}}),
                ('NEXT_DROPPED', {'thing_create': ('old',)}),
                ('FORMER_PARAMS', {}), ('REPLACED', {}), ('NESTED', {})):
            self.useFixture(fixtures.MonkeyPatch(
                f'spdk_source.by_hand.{name}', value))

    def _run(self, *words):
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            status = spdk_facts.main([self.source, *words])
        return status, said.getvalue()

    def _write(self):
        root = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        self.useFixture(fixtures.MonkeyPatch('spdk_facts.ROOT', root))
        for name in spdk_facts.TABLES:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
        self.assertEqual((0, ''), self._run())
        self.paths = [root / name for name in spdk_facts.TABLES]
        return [json.loads(path.read_text()) for path in self.paths]

    def test_what_each_release_has(self):
        read = {one.tag: one for one
                in history.read(checkout.Checkout(self.source))}
        self.assertEqual(['v18.01', 'v22.01', 'v26.05', 'v26.09-pre',
                          'v26.09'], list(read))
        self.assertEqual({'make_thing': {
            'state': 'runtime',
            'fields': [['name', 'string', False], ['size', 'uint32', False],
                       ['quick', 'uint32', True]],
            'error': [-32603, 'cannot decode']}}, read['v18.01'].methods)
        self.assertEqual({
            'thing_create': {
                'state': 'runtime', 'fields': [
                    ['name', 'string', False], ['size', 'uint32', True],
                    ['mode', 'decode_mode', True], ['quick', 'bool', True]],
                'error': [-32603, 'cannot decode']},
            'thing_list': {
                'state': 'both', 'fields': [['names', 'decode_names', True]],
                'relaxed': True, 'absent_ok': True,
                'error': [-22, 'spdk_strerror(-rc)']},
            'thing_count': {'state': 'startup', 'fields': None,
                            'error': [-32602, 'none, please']},
            'thing_free': {'state': 'runtime'}}, read['v22.01'].methods)
        self.assertEqual({'decode_mode': {'choice': ['fast', 'safe']},
                          'decode_names': {'array': 'string'}},
                         read['v22.01'].nested)
        self.assertEqual({'make_thing': 'thing_create'},
                         read['v26.05'].aliases)

    def test_what_the_clients_get(self):
        methods, params, _ = self._write()
        self.assertEqual(['v18.01', 'v22.01', 'v26.05', 'v26.09'],
                         methods['releases'])
        self.assertEqual({
            'make_thing': [['v18.01', None]],
            'thing_count': [['v22.01', None]],
            'thing_create': [['v22.01', None]],
            'thing_free': [['v22.01', 'v26.05']],
            'thing_list': [['v22.01', None]],
            'thing_new': [['v26.09', None]]}, methods['methods'])
        self.assertEqual({'thing_create': ['make_thing']},
                         methods['renamed'])
        self.assertEqual(['mode', 'name', 'speed'], methods['text'])
        self.assertEqual({
            'thing_create': {'since': 'v22.01', 'takes': {
                'name': ['string', [None, None, True]],
                'size': ['uint32', [None, 'v18.01', True],
                         ['v22.01', None, False]],
                'speed': [['slow', 'quick'], ['v26.05', None, False]],
                'old': ['boolean', ['v26.05', 'v26.05', False]],
                'quick': ['boolean or uint32',
                          [None, 'v18.01', False, 'uint32'],
                          ['v22.01', None, False, 'boolean']],
                'mode': [['fast', 'safe'], ['v22.01', 'v22.01', False]]}},
            'thing_count': {'since': 'v22.01', 'takes': {}},
            'thing_list': {'since': 'v22.01', 'takes': {
                'names': ['array of string', [None, None, False]]}},
            'thing_new': {'since': 'v26.09', 'takes': {}}},
            params['params'])

    def test_what_the_simulator_gets(self):
        table = self._write()[2]
        periods = table['methods']['thing_create']
        self.assertEqual([('v22.01', 'v22.01'), ('v26.05', 'v26.09-pre'),
                          ('v26.09', 'v26.09')],
                         [(first, last) for first, last, _ in periods])
        self.assertEqual(['old', 'rpc_decode_old', True],
                         periods[1][2]['fields'][3])
        self.assertEqual({'make_thing': [
            ['thing_create', 'v22.01', 'v26.09']]}, table['aliases'])

    def test_check_tells_what_differs(self):
        self._write()
        self.assertEqual((0, ''), self._run('--check'))
        path = self.paths[1]
        text = path.read_text()
        path.write_text(text.replace('"slow"', '"idle"'))
        status, said = self._run('--check')
        self.assertEqual(1, status)
        self.assertIn('parameters.json: params.thing_create.takes.speed: '
                      '[["idle","quick"],["v26.05",null,false]], by SPDK '
                      '[["slow","quick"],', said)
        self.assertNotEqual(text, path.read_text())

    def test_a_table_that_is_not_understood_is_told(self):
        with self.assertRaisesRegex(ValueError, 'odd_decoders: an entry'):
            release.csource.parse(
                'struct spdk_json_object_decoder odd_decoders[] = {\n'
                'MACRO("x"),\n};')


class ShippedTest(unittest.TestCase):

    def test_no_table_was_edited_by_hand(self):
        for name in spdk_facts.TABLES:
            with self.subTest(name):
                text = (ROOT / name).read_text()
                table = json.loads(text)
                self.assertEqual(
                    output.digest(table), table['sha256'],
                    'run tools/spdk_facts.py; what it cannot read belongs '
                    'in tools/spdk_source/by_hand.py')
                self.assertEqual(text, output.text(
                    {key: value for key, value in table.items()
                     if key not in ('generated', 'sha256')}))

    def test_both_programs_know_the_same_releases(self):
        tables = {name: json.loads((ROOT / name).read_text())
                  for name in spdk_facts.TABLES}
        ours = tables['cyborg_spdk/rpc/protocol/methods.json']
        simulated = tables['spdk_simulator/data/parameters.json']
        played = [tag for tag in simulated['releases']
                  if not tag.endswith('-pre')]
        self.assertEqual(played, ours['releases'][-len(played):])

    @unittest.skipUnless(CHECKOUT, 'CYBORG_SPDK_TEST_SPDK_SOURCE names no '
                         'checkout of SPDK')
    def test_the_tables_say_what_the_source_says(self):
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            spdk_facts.main([CHECKOUT, '--check'])
        self.assertEqual('', said.getvalue())


class OracleTest(unittest.TestCase):
    """SPDK's own schema of v26.05, and its command line of v26.09."""

    #: What SPDK's code does and its schema says otherwise: a parameter that
    #: lib/nvmf/vfio_user.c reads; one that need not be given
    #: (module/event/subsystems/nvmf/nvmf_rpc.c); one that is a string
    #: (decode_discovery_filter() in lib/nvmf/nvmf_rpc.c).
    _LEFT_OUT = {('nvmf_create_transport', 'enable_intr_mode_sq_spreading')}
    _MAY_BE_LEFT_OUT = {('nvmf_set_max_subsystems', 'max_subsystems')}
    _OTHER_TYPE = {('nvmf_create_target', 'discovery_filter')}

    def setUp(self):
        super().setUp()
        self.schema = json.loads(_RECORDED.read_text())

    def test_the_methods_of_v26_05(self):
        version = rpc.Version(26, 5)
        served = {
            name for name, ranges in catalogue.data()['methods'].items()
            if any(rpc.Version.parse(first) <= version and (
                last is None or version <= rpc.Version.parse(last))
                for first, last in ranges)}
        self.assertEqual(296, len(self.schema))
        self.assertLessEqual(self.schema.keys(), served)
        aliases = {former for formers in catalogue.data()['renamed'].values()
                   for former in formers}
        self.assertLessEqual(served - self.schema.keys(), aliases)

    def test_the_parameters_of_v26_05(self):
        version = rpc.Version(26, 5)
        for method, params in self.schema.items():
            ours = {name: one for name, one
                    in (parameters.of(method) or {}).items()
                    if one.is_there(version) and not one.is_member
                    and (method, name) not in self._LEFT_OUT}
            with self.subTest(method):
                self.assertEqual(params.keys(), ours.keys())
            for name, (kind, needed) in params.items():
                with self.subTest(method, param=name):
                    self.assertEqual(
                        needed and (method, name) not in
                        self._MAY_BE_LEFT_OUT,
                        ours[name].is_needed(version))
                    if (method, name) not in self._OTHER_TYPE:
                        self._compare(kind, ours[name])

    def _compare(self, kind, ours):
        if kind == 'enum':
            self.assertEqual('string', ours.kind.partition(' or ')[0])
        elif ours.words:
            # v26.09 says which words it may be, v26.05 only that it is one.
            self.assertEqual('string', kind)
        else:
            self.assertIn(kind, [part.partition(' of ')[0] for part
                                 in ours.kind.split(' or ')])

    @unittest.skipUnless(CHECKOUT, 'CYBORG_SPDK_TEST_SPDK_SOURCE names no '
                         'checkout of SPDK')
    def test_the_schema_is_recorded_as_it_is(self):
        schema = release.Reader(checkout.Checkout(CHECKOUT)).schema('v26.05')
        self.assertEqual(self.schema, {
            one['name']: {param['name']: [
                param['type'], bool(param.get('required'))]
                for param in one['params']} for one in schema['methods']})

    def test_the_command_line_of_the_release_that_is_not_tagged(self):
        version = importlib.metadata.version('spdk')
        if version != '26.9':
            self.skipTest(f'the package spdk is {version}')
        from spdk import spdk_rpc
        commands = spdk_rpc.create_parser()[1].choices
        newest = {name for name, ranges
                  in catalogue.data()['methods'].items()
                  if ranges[-1][1] is None}
        # These make a file of several calls, or calls of a file.
        composed = {f'{verb}_{what}' for verb in ('save', 'load')
                    for what in ('config', 'subsystem_config')}
        self.assertEqual(composed, commands.keys() - newest)
        # These are private to SPDK's tests.
        self.assertEqual({'nvmf_create_target', 'nvmf_delete_target',
                          'nvmf_get_targets'}, newest - commands.keys())
        self.assertIsNone(by_hand.NEXT_METHODS[
            'bdev_nvme_set_multipath_policy'])
        for name, command in commands.items():
            known = parameters.of(name)
            if known is None:
                continue
            there = {one.name.rpartition('.')[2] for one in known.values()
                     if one.last is None}
            # Arguments that the command itself makes something of.
            own = {'help', 'func', 'total_size', 'format_lspci'}
            with self.subTest(name):
                self.assertLessEqual(
                    {action.dest for action in command._actions} - own,
                    there)
