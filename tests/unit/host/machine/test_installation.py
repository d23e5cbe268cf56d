# SPDX-License-Identifier: Apache-2.0

import os
import tempfile
import unittest

from cyborg_spdk import exceptions
from cyborg_spdk.host.machine import installation

_SAYS = '#!/bin/sh\necho "{}"\n'


class InstallationTest(unittest.TestCase):

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.top = directory.name

    def program(self, path, says='SPDK v24.01 git sha1 0786843e99',
                mode=0o755):
        path = os.path.join(self.top, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, 'w') as stream:
            stream.write(_SAYS.format(says))
        os.chmod(path, mode)
        return path

    def find(self, spdk_dir=None, **environ):
        return installation.find(
            spdk_dir and os.path.join(self.top, spdk_dir), environ)

    def test_layouts(self):
        for number, layout in enumerate(
                ['build/bin/nvmf_tgt', 'app/nvmf_tgt/nvmf_tgt',
                 'bin/nvmf_tgt', 'nvmf_tgt']):
            with self.subTest(layout):
                path = self.program(f'{number}/{layout}')
                found = self.find(str(number))
                self.assertEqual({'nvmf_tgt': path}, found.applications)
                self.assertEqual('[spdk] spdk_dir', found.origin)

    def test_version_release_and_setup(self):
        self.program('s/build/bin/vhost')
        setup = self.program('s/scripts/setup.sh')
        found = self.find('s')
        self.assertEqual('SPDK v24.01 git sha1 0786843e99', found.version)
        self.assertEqual((24, 1), found.release)
        self.assertEqual(setup, found.setup_sh)
        self.assertFalse(found.simulated)

    def test_the_simulator_says_so(self):
        self.program('s/build/bin/nvmf_tgt', 'SPDK v26.05 simulated')
        self.assertTrue(self.find('s').simulated)

    def test_one_that_does_not_say_its_version(self):
        self.program('s/app/nvmf_tgt/nvmf_tgt', 'usage: nvmf_tgt')
        found = self.find('s')
        self.assertIsNone(found.version)
        self.assertIsNone(found.release)
        self.assertIsNone(found.setup_sh)

    def test_a_version_that_is_only_in_the_file(self):
        for number, (text, version, release) in enumerate([
                ('SPDK v19.07', 'SPDK v19.07', (19, 7)),
                ('SPDK v19.10.1-pre git sha1 dfe1678',
                 'SPDK v19.10.1-pre git sha1 dfe1678', (19, 10)),
                ('SPDK v19', None, None)]):
            with self.subTest(text):
                path = self.program(f'{number}/app/nvmf_tgt/nvmf_tgt')
                with open(path, 'w') as stream:
                    stream.write('#!/bin/sh\necho usage; exit 1\n\0'
                                 f'Starting %s\0{text}\0')
                found = self.find(str(number))
                self.assertEqual(version, found.version)
                self.assertEqual(release, found.release)

    def test_a_new_build_is_asked_anew(self):
        self.program('s/nvmf_tgt', 'SPDK v22.01')
        self.assertEqual('SPDK v22.01', self.find('s').version)
        os.unlink(os.path.join(self.top, 's/nvmf_tgt'))
        self.program('s/nvmf_tgt', 'SPDK v23.05')
        self.assertEqual('SPDK v23.05', self.find('s').version)

    def test_the_order_of_places(self):
        self.program('env/nvmf_tgt')
        self.program('path/nvmf_tgt')
        self.program('option/nvmf_tgt')
        environ = {'SPDK_DIR': os.path.join(self.top, 'env'),
                   'PATH': 'relative:' + os.path.join(self.top, 'path')}
        self.assertEqual('[spdk] spdk_dir',
                         self.find('option', **environ).origin)
        self.assertEqual('$SPDK_DIR', self.find(**environ).origin)
        del environ['SPDK_DIR']
        found = self.find(**environ)
        self.assertEqual('PATH', found.origin)
        self.assertEqual((os.path.join(self.top, 'path'),), found.places)

    def test_another_program_called_vhost_is_not_taken(self):
        self.program('other/vhost', 'a virtual host manager')
        self.program('spdk/vhost')
        found = self.find(PATH=':'.join(
            os.path.join(self.top, name) for name in ('other', 'spdk')))
        self.assertEqual(os.path.join(self.top, 'spdk/vhost'),
                         found.path('vhost'))

    def test_one_program_is_missing(self):
        self.program('s/nvmf_tgt')
        with self.assertRaisesRegex(
                exceptions.NotInstalled, "SPDK's vhost not found; looked "
                r'at: .*/s; \[spdk\] spdk_dir has only nvmf_tgt'):
            self.find('s').path('vhost')

    def refused(self, pattern, spdk_dir, error=exceptions.NotInstalled):
        # An option that names no SPDK is an error, whatever PATH has.
        self.program('path/nvmf_tgt')
        with self.assertRaisesRegex(error, pattern) as caught:
            self.find(spdk_dir, PATH=os.path.join(self.top, 'path'))
        self.assertEqual(1, len(str(caught.exception).splitlines()))

    def test_bad_options(self):
        self.refused(r'spdk_dir = .*/none; it does not exist', 'none')
        self.program('file')
        self.refused('/file; it is not a directory', 'file')
        os.mkdir(os.path.join(self.top, 'empty'))
        self.refused('/empty; it holds none of nvmf_tgt, vhost', 'empty')

    def test_what_cannot_be_executed_is_none(self):
        self.program('s/nvmf_tgt', mode=0o644)
        self.refused('it holds none of', 's')

    def test_what_anybody_can_write_is_not_run(self):
        self.program('s/nvmf_tgt', mode=0o757)
        self.refused('can be written by anybody and is not run; chmod o-w',
                     's', exceptions.PrivilegeError)

    def test_none_anywhere(self):
        if any(os.path.exists(path) for path in installation.SYSTEM_DIRS[1:]):
            return
        with self.assertRaises(exceptions.NotInstalled) as caught:
            self.find(PATH=self.top)
        self.assertIn('$SPDK_DIR (not set), PATH, /usr/local/bin, /opt/spdk',
                      str(caught.exception))
        self.assertIn('--simulate', str(caught.exception))
