# SPDX-License-Identifier: Apache-2.0

"""A service that was killed at any moment goes on; two do no harm."""

import concurrent.futures
import os
import signal
import subprocess
import sys

import fixtures
import psutil

from cyborg_spdk import exceptions
from cyborg_spdk.service.plug import domain_xml
from cyborg_spdk.service.plug import rounds
from cyborg_spdk.units.wipe import marks
from tests.functional.fixtures import host
from tests.plug import case
from tests.plug import guest
from tests.plug import killed


class KilledTest(case.PlugCase):

    def round(self, number):
        """A round that is killed at a moment; whether it was."""
        process = subprocess.run(
            [sys.executable, '-W', 'ignore', killed.__file__,
             self.config_file(), str(number)], timeout=host.PATIENCE,
            stdin=subprocess.DEVNULL, check=False)
        self.assertIn(process.returncode, (0, -signal.SIGKILL))
        return process.returncode != 0

    def wait_for_the_end(self, unit, domain):
        host.wait_until(
            lambda: self.duty.run() and not self.disks(domain)
            and not self.mark(unit).in_use, 'the end of the use')

    def never_clean(self, unit, instance, domain):
        """What holds at every moment: who can reach data has left a mark."""
        disks = self.disks(domain)
        self.assertIn(len(disks), (0, 1))
        mark = self.mark(unit)
        if disks:
            self.assertEqual((marks.DIRTY, instance, True),
                             (mark.state, mark.consumer, mark.in_use))
            self.assertEqual(1, self.reserved(unit))

    def test_plugging_in(self):
        unit = self.unit('blk.0')
        moments = 0
        while True:
            instance, domain = self.libvirtd.create()
            self.give(instance, unit)
            if not self.round(moments):
                break
            moments += 1
            self.never_clean(unit, instance, domain)
            self.assertEqual((), self.duty.run().problems)
            self.assertEqual({unit: 'vdz'}, self.disks(domain))
            # Back to the beginning: clean, and nobody's.
            domain.destroy()
            self.take(instance)
            self.duty.run()
            self.cleaned(unit)
        # let_in, save, _set, _give, attach
        self.assertGreaterEqual(moments, 5)
        self.assertEqual({unit: 'vdz'}, self.disks(domain))

    def test_taking_out(self):
        unit = self.unit('blk.0')
        small = self.useFixture(guest.Guest(self.host.directory))
        moments = 0
        while True:
            instance, domain = self.libvirtd.create(devices=small.devices)
            self.give(instance, unit)
            self.duty.run()
            domain.resume()
            small.wait()
            self.give_away(instance)
            going = self.round(moments)
            # The disk may go now, or in the rounds that follow.
            self.wait_for_the_end(unit, domain)
            self.assertEqual(marks.DIRTY, self.mark(unit).state)
            self.assertEqual(1, self.reserved(unit))
            domain.destroy()
            self.take(instance)
            self.cleaned(unit)
            if not going:
                break
            moments += 1
        self.assertGreaterEqual(moments, 1)

    def test_letting_go_of_one_that_was_deleted(self):
        unit = self.unit('blk.0')
        moments = 0
        while True:
            instance, domain = self.libvirtd.create()
            self.give(instance, unit)
            self.duty.run()
            domain.destroy()
            self.take(instance)
            going = self.round(moments)
            states = [plug['state']
                      for plug in self.duty.run().facts['plugs']]
            self.assertIn(states, ([], [rounds.LEFT]))
            mark = self.mark(unit)
            self.assertEqual((marks.DIRTY, False), (mark.state, mark.in_use))
            self.assertEqual(1, self.reserved(unit))
            self.cleaned(unit)
            if not going:
                break
            moments += 1
        # take_out, _give, save
        self.assertGreaterEqual(moments, 3)

    def test_two_services_at_once(self):
        unit, other = self.unit('blk.0'), self.unit('blk.1')
        domains = [self.libvirtd.create() for _count in range(2)]
        self.give(domains[0][0], unit)
        self.give(domains[1][0], other)
        services = [self.another_duty() for _count in range(3)]
        with concurrent.futures.ThreadPoolExecutor(len(services)) as pool:
            outcomes = list(pool.map(lambda one: one.run(), services))
        self.assertEqual([(), (), ()], [one.problems for one in outcomes])
        for (_instance, domain), wanted in zip(domains, (unit, other),
                                               strict=True):
            self.assertEqual({wanted: 'vdz'}, self.disks(domain))
            self.assertEqual(1, len(domain_xml.parse(
                domain.XMLDesc(0)).disks))

    def test_services_with_other_directories_exclude_each_other(self):
        unit = self.unit('blk.0')
        instance, domain = self.libvirtd.create()
        self.give(instance, unit)
        first = subprocess.Popen(
            [sys.executable, '-W', 'ignore', killed.__file__,
             self.config_file(), '0', str(int(signal.SIGSTOP))],
            stdin=subprocess.DEVNULL)
        self.addCleanup(first.wait, host.PATIENCE)
        self.addCleanup(first.send_signal, signal.SIGCONT)
        # It is in the middle of a round.
        host.wait_until(lambda: psutil.Process(first.pid).status()
                        == psutil.STATUS_STOPPED, 'the first one')
        self.host.set('spdk', run_path=self.host.path('other'))
        os.mkdir(self.host.path('other'))
        self.useFixture(fixtures.MonkeyPatch(
            'cyborg_spdk.service.plug.duty._LOCK_TIMEOUT', 0.5))
        error = self.assertRaises(exceptions.StateError,
                                  self.another_duty().run)
        self.assertIn('another process', str(error))
        self.assertEqual({}, self.disks(domain))
