# SPDX-License-Identifier: Apache-2.0

"""``construct_nvmf_subsystem`` is all or nothing."""

import socket

from cyborg_spdk import clients
from cyborg_spdk import exceptions
from tests.functional.fixtures import clients as fixture
from tests.functional.fixtures import target


class Construct(fixture.ClientTests):
    """A whole subsystem at once; a failure at each step."""

    application = 'nvmf_tgt'
    client_class = clients.NvmfTgt

    @classmethod
    def prepare(cls, tgt):
        # Until v18.10 SPDK makes the transport itself.
        if tgt.rpc.has('nvmf_create_transport'):
            tgt.nvmf_create_transport('TCP')

    def state(self):
        """All that a subsystem could leave behind."""
        return (sorted(one.nqn for one in self.tgt.nvmf_get_subsystems()),
                sorted((one.name, one.claimed)
                       for one in self.tgt.bdev_get_bdevs()))

    def test_everything(self):
        nqn, one, two = fixture.nqn(), self.malloc(), self.malloc()
        hosts = [fixture.host_nqn(), fixture.host_nqn()]
        listen = self.somewhere(2)
        self.assertEqual(nqn, self.tgt.construct_nvmf_subsystem(
            nqn, listen, hosts, 'SPDK1',
            [one, {'bdev_name': two, 'nsid': 7}]))
        found = self.tgt.find_subsystem(nqn)
        self.assertEqual({(1, one), (7, two)}, {
            (space.nsid, space.bdev_name) for space in found.namespaces})
        self.assertEqual(set(hosts), set(found.hosts))
        self.assertEqual(set(listen), {
            f'tcp://{where.traddr}:{where.trsvcid}'
            for where in found.listen_addresses})
        self.assertEqual(('SPDK1', False), (found.serial_number,
                                            found.allow_any_host))

    def test_as_py_spdk_was_called(self):
        nqn, one, two = fixture.nqn(), self.malloc(), self.malloc()
        hosts = [fixture.host_nqn(), fixture.host_nqn()]
        ports = [one.rpartition(':')[2] for one in self.somewhere(2)]
        self.tgt.construct_nvmf_subsystem(
            nqn, ','.join(f'trtype:TCP traddr:127.0.0.1 trsvcid:{port}'
                          for port in ports),
            ' '.join(hosts), 'SPDK00000000000001', f'{one} {two}:5')
        found = self.tgt.find_subsystem(nqn)
        self.assertEqual({str(port) for port in ports}, {
            where.trsvcid for where in found.listen_addresses})
        self.assertEqual(set(hosts), set(found.hosts))
        self.assertEqual({(1, one), (5, two)}, {
            (space.nsid, space.bdev_name) for space in found.namespaces})

    def test_nothing_but_the_name(self):
        nqn = fixture.nqn()
        self.tgt.construct_nvmf_subsystem(nqn, None, None, None, None,
                                          allow_any_host=True)
        found = self.tgt.find_subsystem(nqn)
        self.assertEqual((True, (), ()),
                         (found.allow_any_host, found.namespaces,
                          found.listen_addresses))

    def test_a_failure_at_each_step(self):
        bdev, other = self.malloc(), self.malloc()
        where = fixture.on_localhost()
        host = fixture.host_nqn()
        good = {'listen': self.somewhere(), 'hosts': [host],
                'serial_number': 'S1',
                'namespaces': [bdev, other]}
        taken = socket.socket()
        self.addCleanup(taken.close)
        taken.bind(('127.0.0.1', 0))
        taken.listen()
        busy = f'tcp://127.0.0.1:{taken.getsockname()[1]}'
        cases = {
            'a serial number too long': {'serial_number': 'S' * 21},
            'a bad host': {'hosts': [host, 'bogus']},
            'a bad address': {'listen': [where, 'tcp://nowhere:1']},
            'no such bdev first': {'namespaces': ['nosuch', bdev]},
            'no such bdev last': {'namespaces': [bdev, 'nosuch']},
            'an NSID twice': {'namespaces': [
                {'bdev_name': bdev, 'nsid': 3},
                {'bdev_name': other, 'nsid': 3}]},
            'a bdev twice': {'namespaces': [bdev, bdev]},
            'a port in use first': {'listen': [busy, where]},
            'a port in use last': {'listen': [where, busy]},
        }
        if not self.has('nvmf_create_transport'):
            # v18.01 lets a bdev be a namespace as often as one likes.
            del cases['a bdev twice']
        for name, change in cases.items():
            with self.subTest(name):
                before, nqn = self.state(), fixture.nqn()
                with self.assertRaises(exceptions.SpdkError):
                    self.tgt.construct_nvmf_subsystem(nqn,
                                                      **{**good, **change})
                self.assertEqual(before, self.state())
        # And with all that was undone, it can be made.
        self.tgt.construct_nvmf_subsystem(fixture.nqn(), **good)

    def test_the_cause_is_told(self):
        nqn, bdev = fixture.nqn(), self.malloc()
        if not self.has('nvmf_create_transport'):
            return
        self.assertFails(
            exceptions.NotFound, ["'nosuch'", 'does not exist'],
            self.tgt.construct_nvmf_subsystem, nqn, None, None, None,
            [bdev, 'nosuch'])
        self.assertFails(
            exceptions.NotFound, 'transport RDMA',
            self.tgt.construct_nvmf_subsystem, nqn,
            ['rdma://127.0.0.1:4420'], None, None, [bdev])

    def test_one_that_exists_stays(self):
        nqn, bdev = fixture.nqn(), self.malloc()
        self.tgt.construct_nvmf_subsystem(nqn, None, None, 'MINE', [bdev])
        before = self.tgt.find_subsystem(nqn)
        self.assertFails(
            exceptions.AlreadyExists, nqn,
            self.tgt.construct_nvmf_subsystem, nqn, None, None, 'OTHER',
            [self.malloc()])
        self.assertEqual(before, self.tgt.find_subsystem(nqn))


class Unanswered(fixture.ClientTests):
    """A step that is executed, and whose reply is lost.

    Only the simulator can be made to do that.
    """

    application = 'nvmf_tgt'
    client_class = clients.NvmfTgt
    #: The step.
    method = None

    def test_undone(self):
        self.tgt.nvmf_create_transport('TCP')
        nqn, bdev = fixture.nqn(), self.malloc()
        with self.assertRaises(exceptions.RpcTimeout) as caught:
            self.tgt.with_timeout(3).construct_nvmf_subsystem(
                nqn, [fixture.on_localhost()], [fixture.host_nqn()], 'S1',
                [bdev])
        self.assertEqual(self.method, caught.exception.method)
        self.assertIsNone(self.tgt.find_subsystem(nqn))
        self.assertFalse(self.tgt.find_bdev(bdev).claimed)


target.for_releases(globals(), Construct, target.RELEASES +
                    target.OLD_RELEASES)
for _method in ('nvmf_create_subsystem', 'nvmf_subsystem_add_ns',
                'nvmf_subsystem_add_host', 'nvmf_subsystem_add_listener'):
    target.for_releases(
        globals(), type(f'Unanswered_{_method}', (Unanswered,), {
            'method': _method,
            'arguments': ('--fault', f'never-answer={_method}')}),
        () if target.SPDK_DIR else ('v26.05',))
