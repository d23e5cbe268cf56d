# SPDX-License-Identifier: Apache-2.0

"""The duty units makes what is declared, and loses nothing."""

from cyborg_spdk.desired import objects
from cyborg_spdk.desired import store
from cyborg_spdk.host import locks
from cyborg_spdk.service import declared as duty
from cyborg_spdk.units.pools import plan
from cyborg_spdk.units.pools import stores
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

    def origins(self):
        state = store.load(self.conf, self.targets['nvmf'])
        return {key: one.origin for key, one in state.objects.items()}

    def test_what_is_made_is_to_be_there_at_once(self):
        self.declare(self.unit(limits={'rw_mbytes_per_sec': 50}))
        self.assertEqual((), self.duty.run().problems)
        found = self.origins()
        nqn = 'nqn.2016-06.io.spdk:p-u2'
        for key in ('bdev:p-0', f'subsystem:{nqn}', f'namespace:{nqn}/1',
                    f'listener:{nqn}/TCP:127.0.0.1:{self.port}',
                    'qos:' + self.nvmf.find_bdev('p/u2').name):
            self.assertEqual(objects.DECLARED, found[key], key)
        # What stands beside it is not declared.
        self.assertEqual(objects.KEPT, found['transport:TCP'])
        self.declare(self.unit(count=1))
        self.duty.run()
        self.declare(self.unit(count=1, size='5MiB'))
        self.duty.run()
        self.assertEqual(objects.KEPT, self.origins()[f'subsystem:{nqn}'])

    def test_what_another_is_making_is_left_to_it(self):
        self.declare(self.unit())
        with locks.hold(self.conf.spdk.run_path, 'pool-p', 1, doing='test'):
            done = self.duty.run()
            self.assertEqual(((), 0), (done.problems, done.facts['made']))
        self.assertLess(0, self.duty.run().facts['made'])

    def test_a_command_that_was_killed_is_taken_up(self):
        self.declare(self.unit())
        self.duty.run()
        self.assertEqual(0, self.duty.run().facts['made'])
        # It was about to make the third, and had its volume.
        noted = stores.load(self.conf, 'p')
        self.nvmf.bdev_lvol_create('p', 'new-1', '4MiB')
        self.declare(self.unit(count=3))
        stores.save(self.conf, 'p', stores.Store(
            noted.uuid, noted.volumes | {'u3'}, {},
            {'u3': stores.Birth('new-1', clean=True)}))
        self.assertIn('make volume', [
            step.action for step in self.pool().steps(plan.Told())])
        self.assertLess(0, self.duty.run().facts['made'])
        self.assertTrue(self.state({'nqn': 'nqn.2016-06.io.spdk:p-u3',
                                    'nsid': '1'}).clean)
        self.assertEqual({'p/u1': 4, 'p/u2': 4, 'p/u3': 4}, self.volumes())
