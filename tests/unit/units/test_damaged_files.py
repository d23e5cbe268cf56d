# SPDX-License-Identifier: Apache-2.0

"""Files of ours with something in them that none of ours has written."""

import os

import fixtures
from oslo_config import cfg
import testtools

from cyborg_spdk import conf as spdk_conf
from cyborg_spdk import exceptions
from cyborg_spdk.units import crypto_keys
from cyborg_spdk.units.pools import stores
from cyborg_spdk.units import report_account
from cyborg_spdk.units import reported
from cyborg_spdk.units.wipe import marks
from cyborg_spdk.units.wipe import progress

_DEEP = 2000
_CONTENTS = (
    b'', b'{', b'\xff\xfe', b'null', b'5', b'"text"', b'[]', b'[1]', b'{}',
    b'[' * _DEEP + b']' * _DEEP, b'{"a":' * _DEEP + b'1' + b'}' * _DEEP,
    b'{"version": 1}', b'{"version": [], "pid": {}, "ticks": 1}',
    b'{"pid": "x", "ticks": null}')


class DamagedFilesTest(testtools.TestCase):

    def setUp(self):
        super().setUp()
        self.conf = cfg.ConfigOpts()
        self.conf([])
        spdk_conf.register(self.conf)
        self.directory = self.useFixture(
            fixtures.TempDir(rootdir='/tmp')).path
        for name in ('state_path', 'run_path'):
            self.conf.set_override(name, self.directory, group='spdk')

    # What reads one; the file; what comes of one without sense.
    def readers(self):
        handle = '{"nqn":"n","nsid":"1"}'
        return (
            (lambda: marks.load(self.conf, 'nvmf', handle),
             marks._path(self.conf, 'nvmf', handle), None),
            (lambda: marks.load_all(self.conf),
             marks._path(self.conf, 'nvmf', handle), []),
            (lambda: progress.load(self.conf, 'nvmf', handle),
             progress._path(self.conf, 'nvmf', handle), None),
            (lambda: stores.load(self.conf, 'pool'),
             stores._path(self.conf, 'pool'), None),
            (lambda: reported.of_target(self.conf, 'nvmf'),
             os.path.join(self.directory, 'report-nvmf.json'), []),
            (lambda: report_account.load_all(self.conf),
             report_account._path(self.directory, 'nvmf'), {}),
            (lambda: crypto_keys.load(self.directory, 'key'),
             crypto_keys._path(self.directory, 'key'), exceptions.StateError),
        )

    def test_a_table(self):
        for read, path, expected in self.readers():
            os.makedirs(os.path.dirname(path), mode=0o750, exist_ok=True)
            for content in _CONTENTS:
                with open(path, 'wb') as out:
                    out.write(content)
                try:
                    found = read()
                except exceptions.StateError as exc:
                    found = type(exc)
                self.assertEqual(expected, found, (path, content[:40]))
            os.unlink(path)
