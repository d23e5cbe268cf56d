# SPDX-License-Identifier: Apache-2.0

"""The duty units makes what is declared, and loses nothing."""

from cyborg_spdk.service import declared as duty
from tests.functional.units import test_pools


class DeclaredUnitsTest(test_pools.PoolCase):

    def setUp(self):
        super().setUp()
        self.duty = duty.DeclaredUnits(self.conf)

    def test_made_once_and_when_the_file_has_changed(self):
        self.declare(self.unit())
        done = self.duty.run()
        self.assertEqual(((), {'p/u1': 4, 'p/u2': 4}),
                         (done.problems, self.volumes()))
        # What an operator does by hand meanwhile is his.
        self.nvmf.nvmf_delete_subsystem('nqn.2016-06.io.spdk:p-u1')
        self.assertEqual(0, self.duty.run().facts['made'])
        self.declare(self.unit(count=3))
        self.assertLess(0, self.duty.run().facts['made'])
        self.assertEqual({'p/u1': 4, 'p/u2': 4, 'p/u3': 4}, self.volumes())

    def test_nothing_is_made_smaller_or_deleted(self):
        self.declare(self.unit())
        self.duty.run()
        self.declare(self.unit(count=1, size='2MiB'))
        for _count in range(2):
            problem, = self.duty.run().problems
            self.assertIn('--shrink', problem)
        self.assertEqual({'p/u1': 4, 'p/u2': 4}, self.volumes())
        # Told no more once it is declared as it is.
        self.declare(self.unit())
        self.assertEqual((), self.duty.run().problems)

    def test_a_disk_with_data_is_not_taken(self):
        path = self.spdk.path('theirs')
        with open(path, 'wb') as out:
            out.write(b'x' * (64 << 20))
        self.declare(self.unit(), f'[{{file: {path}}}]')
        problem, = self.duty.run().problems
        self.assertIn('--overwrite p', problem)
        self.assertEqual([], self.nvmf.bdev_get_bdevs())

    def test_a_target_that_does_not_run(self):
        self.declare(self.unit())
        self.spdk.stop()
        self.assertEqual((), self.duty.run().problems)
        self.spdk.start()
        self.connect()
        self.assertEqual((), self.duty.run().problems)
        self.assertEqual({'p/u1': 4, 'p/u2': 4}, self.volumes())
