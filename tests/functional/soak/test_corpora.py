# SPDX-License-Identifier: Apache-2.0

"""What the fuzzer has kept is taken as it should be."""

import testtools

from tests.soak import corpus
from tests.soak import inputs


class CorporaTest(testtools.TestCase):

    def test_every_input(self):
        for name, takes in inputs.INPUTS.items():
            kept = corpus.load(name)
            self.assertNotEqual([], kept, name)
            for data in kept:
                takes(data)
