# SPDX-License-Identifier: Apache-2.0

import importlib.metadata
import os
import re
import tempfile

import fixtures
from oslo_config import cfg
from oslo_config import generator
import testtools

from cyborg_spdk import conf as spdk_conf
from cyborg_spdk import exceptions

_TOP = os.path.join(os.path.dirname(__file__), os.pardir, os.pardir)


class ConfTestCase(testtools.TestCase):

    def parse(self, text):
        """A ConfigOpts that has read a file of this text, and its path."""
        directory = self.useFixture(fixtures.TempDir()).path
        path = os.path.join(directory, 'test.conf')
        with open(path, 'w') as stream:
            stream.write(text)
        conf = cfg.ConfigOpts()
        conf([], default_config_files=[path], default_config_dirs=[])
        return conf, path

    def refused(self, text):
        """The error that a configuration of this text is refused with."""
        conf, path = self.parse(text)
        error = self.assertRaises(exceptions.ConfigurationError,
                                  spdk_conf.targets, conf)
        self.assertNotIn('\n', str(error))
        return error, path


class TestTargets(ConfTestCase):

    def test_one_of_each_kind_by_default(self):
        conf, _ = self.parse('')
        targets = spdk_conf.targets(conf)
        self.assertEqual(
            [('spdk_nvmf', 'nvmf', 'nvmf_tgt', 'CUSTOM_SPDK_NVMF'),
             ('spdk_vhost', 'vhost', 'vhost', 'CUSTOM_SPDK_VHOST'),
             ('spdk_iscsi', 'iscsi', 'iscsi_tgt', 'CUSTOM_SPDK_ISCSI')],
            [(t.name, t.kind, t.application, t.resource_class)
             for t in targets])

    def test_further_targets_by_name(self):
        conf, _ = self.parse('[spdk]\nnvmf_targets = spdk_nvmf,fast\n'
                             'run_path = /run/x\n'
                             '[fast]\ncore_mask = 0xc\n')
        fast = spdk_conf.targets(conf, 'nvmf')[1]
        self.assertEqual(('fast', '0xc', '/run/x/fast.sock'),
                         (fast.name, fast.core_mask, fast.rpc_address))

    def test_only_the_kind_asked_for(self):
        conf, _ = self.parse('')
        self.assertEqual(['vhost'], [
            t.kind for t in spdk_conf.targets(conf, 'vhost')])

    def test_reading_twice_gives_the_same(self):
        conf, _ = self.parse('[spdk]\nvhost_targets = a,b\n')
        self.assertEqual(spdk_conf.targets(conf), spdk_conf.targets(conf))

    def test_one_name_for_two_targets(self):
        error, _ = self.refused('[spdk]\nnvmf_targets = a\n'
                                'vhost_targets = a\n')
        self.assertEqual('[spdk] vhost_targets', error.name)
        self.assertIn('[spdk] nvmf_targets names it already', str(error))

    def test_a_name_that_cannot_be_a_target(self):
        for name in ('A', '-x', 'a b', 'a/b', 'x' * 64, 'spdk', 'agent',
                     'placement', 'spdk_service'):
            error, _ = self.refused(f'[spdk]\nnvmf_targets = {name}\n')
            self.assertEqual(name, error.value)

    def test_no_group_of_cyborg_and_what_it_stands_on_is_a_target(self):
        """Else one option of a file would mean two things."""
        groups = {'nvme', 'pci', 'oslo_whatever'}
        for entry in importlib.metadata.entry_points(
                group='oslo.config.opts'):
            if re.match(r'cyborg\b|oslo(?!.config)|keystonemiddleware',
                        entry.name):
                groups |= {str(getattr(group, 'name', group)).lower()
                           for group, _ in entry.load()()}
        self.assertIn('gpu_devices', groups)
        for name in groups:
            if re.fullmatch('[a-z0-9_]+', name):
                error, _ = self.refused(f'[spdk]\nnvmf_targets = {name}\n')
                self.assertEqual(name, error.value)

    def test_a_value_that_is_not_among_the_choices(self):
        error, path = self.refused('[spdk_vhost]\napplication = vhostt\n')
        self.assertEqual(('[spdk_vhost] application', 'vhostt'),
                         (error.name, error.value))
        self.assertIn('vhost, spdk_tgt', str(error))
        self.assertIn(path, str(error))

    def test_a_value_that_is_no_number(self):
        error, _ = self.refused('[spdk]\nrpc_timeout = soon\n')
        self.assertEqual(('[spdk] rpc_timeout', 'soon'),
                         (error.name, error.value))

    def test_a_number_out_of_range(self):
        error, _ = self.refused('[spdk]\nmax_new_units = 0\n')
        self.assertIn('1', error.reason)


class TestArguments(ConfTestCase):

    def test_one_with_a_comma_goes_in_quotes(self):
        for text, expected in [
                ('--a,-L,nvmf', ('--a', '-L', 'nvmf')),
                ('--rpcs-allowed,"a,b"', ('--rpcs-allowed', 'a,b')),
                ("--env-context,'--lcores 0@1,1@2',-d",
                 ('--env-context', '--lcores 0@1,1@2', '-d')),
                # oslo.config takes quotes off that are around it all.
                ('"--rpcs-allowed=a,b"', ('--rpcs-allowed=a,b',)),
                ('"a,b","c,d"', ('a,b', 'c,d'))]:
            conf, _ = self.parse(f'[spdk_nvmf]\nextra_args = {text}\n')
            self.assertEqual(
                expected, spdk_conf.targets(conf)[0].extra_args, text)

    def test_a_lone_quote(self):
        for text in ('--a,"b', '"', '--a="b,c"', "it's"):
            error, path = self.refused(f'[spdk_nvmf]\nextra_args = {text}\n')
            self.assertEqual(('[spdk_nvmf] extra_args', text),
                             (error.name, error.value))
            self.assertIn('quote', error.reason)

    def test_a_dollar_sign_says_which_option_has_it(self):
        error, _ = self.refused('[spdk]\nstate_path = /var/$x\n')
        self.assertEqual(('[spdk] state_path', '/var/$x'),
                         (error.name, error.value))
        self.assertIn('$$', error.reason)


class TestUnknownOptions(ConfTestCase):

    def test_a_misspelt_name_is_told_with_the_right_one(self):
        conf, path = self.parse('[spdk]\nspdk_dri = /x\n'
                                '[spdk_nvmf]\ncore_mask = 1\n'
                                '[other]\nspdk_dri = /x\n')
        spdk_conf.targets(conf)
        self.assertEqual(
            [f'{path}: [spdk] spdk_dri is no option; '
             'did you mean spdk_dir?'],
            spdk_conf.unknown_options(conf))

    def test_a_group_of_no_target_is_told(self):
        conf, path = self.parse('[spdk_nvmff]\nstart = false\n'
                                '[spdk_fast]\n[spdk_service]\n[other]\n')
        spdk_conf.targets(conf)
        self.assertEqual(
            [f'{path}: [spdk_nvmff] is no target; did you mean '
             '[spdk_nvmf]?'], [line for line in spdk_conf.unknown_options(
                 conf) if 'nvmff' in line])
        self.assertEqual(2, len(spdk_conf.unknown_options(conf)))

    def test_nothing_to_tell(self):
        conf, _ = self.parse('[spdk]\nspdk_dir = /x\n')
        spdk_conf.targets(conf)
        self.assertEqual([], spdk_conf.unknown_options(conf))


class TestSample(testtools.TestCase):

    def test_the_committed_sample_is_what_the_generator_writes(self):
        conf = cfg.ConfigOpts()
        generator.register_cli_opts(conf)
        path = os.path.join(_TOP, 'etc', 'oslo-config-generator',
                            'cyborg_spdk.conf')
        conf(['--config-file', path], default_config_files=[])
        with tempfile.TemporaryFile('w+') as written:
            generator.generate(conf, written)
            written.seek(0)
            expected = written.read()
        sample = os.path.join(_TOP, 'etc', 'cyborg_spdk',
                              'cyborg_spdk.conf.sample')
        with open(sample) as stream:
            self.assertEqual(expected, stream.read(),
                             'run "tox -e genconfig" and commit the sample')

    def test_every_option_has_a_help_text(self):
        for group, opts in spdk_conf.list_opts():
            for opt in opts:
                self.assertTrue(opt.help, f'[{group.name}] {opt.name}')
