# SPDX-License-Identifier: Apache-2.0

"""Each trial of the soak, in a short form; ``tox -e soak`` is the long one.

Those that are the long forms of other tests are not repeated here.
"""

import unittest

from tests.functional.fixtures import seeds
from tests.soak import every


def _test(trial):
    def test(self):
        seed = seeds.first('CYBORG_SPDK_TEST_SOAK')
        figures = trial.run(trial.short, seed)
        self.assertEqual([], trial.broken(figures), (seed, figures))
    return test


class ShortTest(unittest.TestCase):
    """The trials, a test each."""


for _one in every.TRIALS:
    if _one.short:
        _words = ''.join(sign if sign.isalnum() else ' '
                         for sign in _one.name.lower()).split()
        setattr(ShortTest, '_'.join(('test', *_words)), _test(_one))
