# SPDX-License-Identifier: Apache-2.0

"""The life of an instance, with a guest that reads its disk."""

import json
import os
import pwd
import subprocess

import fixtures

from cyborg_spdk.desired import starting
from cyborg_spdk.host.machine import unix_sockets
from cyborg_spdk.service.plug import rounds
from cyborg_spdk.units.attach import vhost
from cyborg_spdk.units.wipe import marks
from tests.functional.fixtures import host
from tests.plug import case
from tests.plug import guest

_DATA = b'the tenants data'


class LifeTest(case.PlugCase):

    def setUp(self):
        super().setUp()
        self.guest = self.useFixture(guest.Guest(self.host.directory))
        self.unit1 = self.unit('blk.0')
        self.image = self.host.path('blk.0.img')

    def start(self, **options):
        return self.libvirtd.create(devices=self.guest.devices, **options)

    def write(self):
        with open(self.image, 'r+b') as stream:
            stream.write(_DATA)

    def test_started_paused_has_it_before_its_first_read(self):
        instance, domain = self.start()
        self.give(instance, self.unit1)
        self.assertEqual((), self.duty.run().problems)
        self.write()
        domain.resume()
        self.assertEqual(_DATA, self.guest.wait())

    def test_unbound_while_it_runs(self):
        instance, domain = self.start()
        self.give(instance, self.unit1)
        self.assertEqual((), self.duty.run().problems)
        domain.resume()
        self.guest.wait()
        self.give_away(instance)
        host.wait_until(lambda: self.duty.run() and not self.disks(domain),
                        'the end of the disk')
        host.wait_until(lambda: self.duty.run() and not self.mark(
            self.unit1).in_use, 'the end of the use')
        self.assertEqual(marks.DIRTY, self.mark(self.unit1).state)
        self.assertEqual(1, self.reserved(self.unit1))

    def test_asked_before_the_guest_listens(self):
        instance, domain = self.start()
        self.give(instance, self.unit1)
        self.assertEqual((), self.duty.run().problems)
        self.give_away(instance)
        # It is paused: libvirt says that all is well, and nothing happens.
        plug, = self.duty.run().facts['plugs']
        self.assertEqual(rounds.LEAVING, plug['state'])
        self.assertEqual({self.unit1: 'vdz'}, self.disks(domain))
        self.assertTrue(self.mark(self.unit1).in_use)
        domain.resume()
        self.guest.wait()
        host.wait_until(lambda: self.duty.run() and not self.disks(domain),
                        'the end of the disk')

    def test_hard_reboot(self):
        instance, domain = self.start()
        self.give(instance, self.unit1)
        self.assertEqual((), self.duty.run().problems)
        self.write()
        domain.destroy()
        # Nova asks for nothing meanwhile; rounds go on.
        for _count in range(2):
            self.assertEqual((), self.duty.run().problems)
        self.assertTrue(self.mark(self.unit1).in_use)
        _, domain = self.start(instance=instance)
        self.assertEqual((), self.duty.run().problems)
        domain.resume()
        self.assertEqual(_DATA, self.guest.wait())

    def test_delete(self):
        instance, domain = self.start()
        self.give(instance, self.unit1)
        self.assertEqual((), self.duty.run().problems)
        domain.resume()
        self.guest.wait()
        # Nova waits for nobody: first the domain goes, the allocation then.
        domain.destroy()
        self.assertEqual((), self.duty.run().problems)
        self.assertTrue(self.mark(self.unit1).in_use)
        self.take(instance)
        plug, = self.duty.run().facts['plugs']
        self.assertEqual(rounds.LEFT, plug['state'])
        self.assertEqual([], self.duty.run().facts['plugs'])
        mark = self.mark(self.unit1)
        self.assertEqual((marks.DIRTY, False), (mark.state, mark.in_use))
        self.assertEqual(1, self.reserved(self.unit1))

    def test_target_killed_while_the_guest_is_quiet(self):
        self.useFixture(fixtures.MonkeyPatch(
            'cyborg_spdk.service.plug.rounds.LOST', 1.0))
        instance, domain = self.start()
        self.give(instance, self.unit1)
        self.assertEqual((), self.duty.run().problems)
        domain.resume()
        self.guest.wait()
        socket = self.serve_anew(self.unit1)
        # Where libvirt lets QEMU connect again, it does; else the disk goes
        # and comes.
        host.wait_until(
            lambda: self.duty.run() and unix_sockets.look(socket).connections,
            'a connection')
        self.assertEqual((), self.duty.run().problems)
        self.assertEqual({self.unit1: 'vdz'}, self.disks(domain))
        self.assertEqual((instance, True), (
            self.mark(self.unit1).consumer, self.mark(self.unit1).in_use))

    def test_target_killed_while_the_guest_is_not(self):
        self.useFixture(fixtures.MonkeyPatch(
            'cyborg_spdk.service.plug.rounds.LOST', 1.0))
        instance, domain = self.start()
        self.give(instance, self.unit1)
        self.assertEqual((), self.duty.run().problems)
        # It has not read the disk yet, and lets go of nothing before.
        socket = self.serve_anew(self.unit1)
        host.wait_until(
            lambda: self.duty.run().problems
            or unix_sockets.look(socket).connections, 'a word')
        if not unix_sockets.look(socket).connections:
            problem, = self.duty.run().problems
            self.assertIn('hard reboot', problem)
        self.assertEqual({self.unit1: 'vdz'}, self.disks(domain))
        self.assertTrue(self.mark(self.unit1).in_use)

    def test_sockets_are_born_for_qemu(self):
        other = self.unit('blk.1', served=False)
        instance, domain = self.start()
        self.give(instance, self.unit1)
        self.assertEqual((), self.duty.run().problems)
        domain.destroy()
        target = self.host.target('vhost')
        self.assertTrue(starting.stop(self.conf, target))
        self.assertTrue(starting.ensure(self.conf, target).started)
        socket = json.loads(self.units[self.unit1]['handle'])['socket']
        host.wait_until(lambda: os.path.exists(socket), 'the socket')
        # Nobody has given it to him.
        self.assertEqual(0, os.stat(socket).st_uid)
        self.assertTrue(vhost.reachable(socket, 'libvirt-qemu'))
        self.assertFalse(vhost.reachable(socket, 'nobody'))
        connect = ('import socket, sys; '
                   'socket.socket(socket.AF_UNIX).connect(sys.argv[1])')
        for user, status in (('libvirt-qemu', 0), ('nobody', 1)):
            self.assertEqual(status, subprocess.run(
                ['/usr/bin/python3', '-c', connect, socket], user=user,
                group=pwd.getpwnam(user).pw_gid, extra_groups=[],
                stderr=subprocess.DEVNULL, check=False).returncode, user)
        # The next round closes those that are nobody's: a guest that has
        # broken out of its QEMU finds one door less.
        unused = json.loads(self.units[other]['handle'])['socket']
        self.assertTrue(vhost.reachable(unused, 'libvirt-qemu'))
        self.assertEqual((), self.duty.run().problems)
        self.assertFalse(vhost.reachable(unused, 'libvirt-qemu'))
        self.assertTrue(vhost.reachable(socket, 'libvirt-qemu'))
