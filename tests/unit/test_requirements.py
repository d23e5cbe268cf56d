# SPDX-License-Identifier: Apache-2.0

import pathlib
import re

import testtools

_TOP = pathlib.Path(__file__).parent.parent.parent


def _bounds(name, sign):
    return dict(re.findall(rf'^ *([\w.-]+){sign}([\w.]+)',
                           (_TOP / name).read_text(), re.MULTILINE))


class RequirementsTest(testtools.TestCase):

    def test_extras_have_the_bounds_that_are_tested(self):
        extras = (_TOP / 'setup.cfg').read_text()
        extras = extras[extras.index('[extras]'):extras.index('[entry_')]
        found = dict(re.findall(r'^    ([\w.-]+)>=([\w.]+)', extras,
                                re.MULTILINE))
        # Built against the libvirt of the machine; tox -e plug.
        found.pop('libvirt-python')
        tested = _bounds('test-requirements.txt', '>=')
        self.assertEqual(found, {name: tested.get(name) for name in found})
