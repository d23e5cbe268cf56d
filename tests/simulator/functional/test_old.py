# SPDX-License-Identifier: Apache-2.0

"""Answers of v18.01 to v21.10, seen on v18.01 and v19.07.

In which release they changed was read from the history of SPDK's files.
"""

import json
import signal

from spdk_simulator import fixture
from tests.functional.fixtures import simulated
from tests.simulator.recordings import replay

_NQN = 'nqn.2016-06.io.spdk:c1'
_DISCOVERY = 'nqn.2014-08.org.nvmexpress.discovery'
_CALL = '{"jsonrpc":"2.0","id":%s,"method":"get_bdevs"}'
_INVALID = 'Invalid parameters'


class Wire(simulated.Case):
    """How requests are read and answered."""

    def connected(self, release):
        """Start a target and connect."""
        self.start(release)
        connection = replay.Connection(self.target.socket)
        self.addCleanup(connection.close)
        return connection

    def answered(self, release, text):
        """Send bytes and nothing more.

        :returns: the replies.
        """
        connection = self.connected(release)
        connection.send(text.encode())
        connection.socket.shutdown(1)
        data, how = connection.end()
        self.assertEqual('eof', how)
        return [json.loads(line) for line in data.splitlines()]

    def test_one_request_per_arrival(self):
        """Up to v18.10 the second one waits until more bytes come."""
        two = _CALL % 1 + _CALL % 2
        self.assertEqual([1], [reply['id'] for reply
                               in self.answered('v18.10', two)])
        self.assertEqual([1, 2], [reply['id'] for reply
                                  in self.answered('v19.01', two)])
        connection = self.connected('v18.01')
        connection.send(two.encode())
        self.assertEqual(1, json.loads(connection.line())['id'])
        connection.send(b' ')
        self.assertEqual(2, json.loads(connection.line())['id'])

    def test_notifications(self):
        """Up to v18.10 null is an id as any other."""
        for release, missing, null in (('v18.10', [], [None]),
                                       ('v19.01', [], [])):
            text = _CALL % 'null'
            self.assertEqual(null, [reply['id'] for reply
                                    in self.answered(release, text)])
            text = text.replace('"id":null,', '')
            self.assertEqual(missing, self.answered(release, text))

    def test_long_ids(self):
        for release, known in (('v18.10', False), ('v19.01', True)):
            reply, = self.answered(release, _CALL % ('"' + 'x' * 129 + '"'))
            self.assertEqual(known, 'result' in reply, release)

    def test_null_params(self):
        for release, known in (('v19.04', False), ('v19.07', True)):
            reply, = self.answered(release, _CALL.replace(
                '}', ',"params":null}') % 1)
            self.assertEqual(known, 'result' in reply, release)

    def test_other_state(self):
        for release, start in (('v19.07', 'start_subsystem_init'),
                               ('v20.07', 'framework_start_init')):
            self.start(release)
            self.refused(-1, 'Method is allowed in any state in the mask '
                         '(1), but current state is (2)', start)
        self.start('v20.10')
        self.refused(-1, 'Method may only be called before framework is '
                     'initialized. Use --wait-for-rpc command line parameter '
                     'and then issue this RPC before the '
                     'framework_start_init RPC.', 'framework_start_init')

    def test_names(self):
        """Before v19.10 names that were given up are listed, too."""
        for release, names in (
                ('v18.01', {'get_rpc_methods'}),
                ('v19.07', {'get_rpc_methods', 'rpc_get_methods'}),
                ('v19.10', {'rpc_get_methods'})):
            call = self.start(release)
            found = call('rpc_get_methods' if release >= 'v19.07'
                         else 'get_rpc_methods')
            self.assertEqual(names, {name for name in found
                                     if 'rpc_' in name}, release)


class Nvmf(simulated.Case):
    """Subsystems."""

    def subsystem(self, **more):
        """Make one as up to v18.10."""
        return self.target.call('construct_nvmf_subsystem', **{
            'nqn': _NQN, 'listen_addresses': [], 'hosts': [],
            'serial_number': 'S', **more})

    def test_no_tcp(self):
        """It is built in since v19.01."""
        address = {'trtype': 'TCP', 'adrfam': 'IPv4', 'traddr': '127.0.0.1',
                   'trsvcid': '4420'}
        for release in ('v18.01', 'v18.10'):
            self.start(release)
            with self.assertRaises(fixture.CallError) as caught:
                self.subsystem(listen_addresses=[address])
            self.assertEqual(-32602, caught.exception.code)
        call = self.start('v19.01')
        call('nvmf_create_transport', trtype='TCP')
        call('nvmf_subsystem_create', nqn=_NQN)
        call('nvmf_subsystem_add_listener', nqn=_NQN, listen_address=address)

    def test_without_a_serial_number(self):
        """A NULL pointer is read from v18.04 to v18.10."""
        self.start('v18.01')
        self.refused(-32602, _INVALID, 'construct_nvmf_subsystem', nqn=_NQN,
                     listen_addresses=[], hosts=[])
        for release in ('v18.04', 'v18.10'):
            self.start(release)
            self.killed(signal.SIGSEGV, 'construct_nvmf_subsystem',
                        nqn=_NQN, listen_addresses=[], hosts=[])

    def test_bdev_twice(self):
        """Subsystems claim their bdevs since v18.10."""
        self.start('v18.01')
        self.malloc('a')
        self.subsystem(namespaces=[{'bdev_name': 'a'}, {'bdev_name': 'a'}])
        for release, good in (('v18.07', True), ('v18.10', False)):
            call = self.start(release)
            self.malloc('a')
            self.subsystem()
            params = {'nqn': _NQN, 'namespace': {'bdev_name': 'a'}}
            call('nvmf_subsystem_add_ns', **params)
            if good:
                self.assertEqual(2, call('nvmf_subsystem_add_ns', **params))
            else:
                self.refused(-32602, _INVALID, 'nvmf_subsystem_add_ns',
                             **params)

    def test_namespace_of_discovery(self):
        """Its number of namespaces is no limit up to v20.10."""
        params = {'nqn': _DISCOVERY, 'namespace': {'bdev_name': 'a'}}
        for release in ('v19.07', 'v20.10'):
            call = self.start(release)
            self.malloc('a')
            self.assertEqual(1, call('nvmf_subsystem_add_ns', **params))
        self.start('v21.01')
        self.malloc('a')
        self.refused(-32602, _INVALID, 'nvmf_subsystem_add_ns', **params)

    def test_places_are_reused(self):
        """A new subsystem is listed where one went."""
        call = self.start('v19.07')
        for name in 'abc':
            call('nvmf_subsystem_create', nqn=_NQN + name)
        call('delete_nvmf_subsystem', nqn=_NQN + 'a')
        call('nvmf_subsystem_create', nqn=_NQN + 'd')
        self.assertEqual([_DISCOVERY, _NQN + 'd', _NQN + 'b', _NQN + 'c'],
                         [item['nqn'] for item
                          in call('get_nvmf_subsystems')])

    def test_division_by_zero(self):
        """Buffers are counted in units; up to v21.10 of any size."""
        self.start('v19.07')
        self.killed(signal.SIGFPE, 'nvmf_create_transport', trtype='TCP',
                    io_unit_size=0)


class Vhost(simulated.Case):
    """Controllers."""

    def test_errors(self):
        """Block controllers had one error for all up to v18.07."""
        for release, unknown, cores in (
                ('v18.01', *['Operation not permitted'] * 2),
                ('v18.07', *['Operation not permitted'] * 2),
                ('v18.10', 'No such device', 'Invalid argument')):
            self.start(release, 'vhost')
            self.malloc('a')
            self.refused(-32602, unknown, 'construct_vhost_blk_controller',
                         ctrlr='c', dev_name='x')
            self.refused(-32602, cores, 'construct_vhost_blk_controller',
                         ctrlr='c', dev_name='a', cpumask='0x2')

    def test_members(self):
        for release, known in (('v18.04', False), ('v18.07', True)):
            call = self.start(release, 'vhost')
            call('construct_vhost_scsi_controller', ctrlr='s')
            shown, = call('get_vhost_controllers')
            for name in ('delay_base_us', 'iops_threshold', 'socket'):
                self.assertEqual(known, name in shown, (release, name))

    def test_number_of_a_target(self):
        """It is told since v19.04."""
        for release, result in (('v19.01', True), ('v19.04', 0)):
            call = self.start(release, 'vhost')
            self.malloc('a')
            call('construct_vhost_scsi_controller', ctrlr='s')
            self.assertIs(result, call(
                'add_vhost_scsi_lun', ctrlr='s', scsi_target_num=0,
                bdev_name='a'))


class Iscsi(simulated.Case):
    """Target nodes."""

    def node(self, release):
        """Make a node with a LUN; returns a function that makes calls."""
        self.start(release, 'iscsi_tgt')
        self.malloc('a', 'b')
        return self.target.call

    def test_lun_replaced(self):
        """Up to v21.07, and nobody is told."""
        for release, replaced in (('v21.07', True), ('v21.10', False)):
            call = self.node(release)
            call('iscsi_create_portal_group', tag=1, portals=[
                {'host': '127.0.0.1', 'port': '3260'}])
            call('iscsi_create_initiator_group', tag=1, initiators=['ANY'],
                 netmasks=['ANY'])
            call('iscsi_create_target_node', name='d', alias_name='x',
                 pg_ig_maps=[{'pg_tag': 1, 'ig_tag': 1}], queue_depth=64,
                 luns=[{'bdev_name': 'a', 'lun_id': 0}])
            params = {'name': 'iqn.2016-06.io.spdk:d', 'bdev_name': 'b',
                      'lun_id': 0}
            if replaced:
                call('iscsi_target_node_add_lun', **params)
            else:
                self.refused(-32602, _INVALID, 'iscsi_target_node_add_lun',
                             **params)
            node, = call('iscsi_get_target_nodes')
            self.assertEqual('b' if replaced else 'a',
                             node['luns'][0]['bdev_name'])

    def test_unknown_node(self):
        """Refused, false from v19.04 on, and refused again."""
        self.node('v19.01')
        self.refused(-32602, _INVALID, 'delete_target_node', name='x')
        for release, name in (('v19.04', 'delete_target_node'),
                              ('v19.07', 'delete_target_node'),
                              ('v23.01', 'iscsi_delete_target_node')):
            self.assertIs(False, self.node(release)(name, name='x'))
        self.node('v23.05')
        self.refused(-2, 'No such file or directory',
                     'iscsi_delete_target_node', name='x')


class Bdevs(simulated.Case):
    """Bdevs of several kinds."""

    def test_iostat(self):
        call = self.start('v18.10')
        self.malloc('a')
        first, second = call('get_bdevs_iostat')
        self.assertEqual((['tick_rate'], 'a'), (list(first),
                                                second['name']))
        for release, method, known in (
                ('v19.10', 'bdev_get_iostat', False),
                ('v20.01', 'bdev_get_iostat', True)):
            call = self.start(release)
            self.assertEqual(known, 'ticks' in call(method), release)

    def test_raid(self):
        for release, members in (
                ('v18.10', {'strip_size': 8, 'raid_level': 0}),
                ('v19.07', {'strip_size': 8, 'strip_size_kb': 4,
                            'raid_level': 0}),
                ('v20.01', {'strip_size': 8, 'strip_size_kb': 4,
                            'raid_level': 'raid0'}),
                ('v21.04', {'strip_size_kb': 4, 'raid_level': 'raid0'})):
            call = self.start(release)
            self.malloc('a')
            old = release < 'v20.01'
            call('construct_raid_bdev' if old else 'bdev_raid_create',
                 name='r', raid_level=0 if old else 'raid0',
                 base_bdevs=['a'],
                 **{'strip_size' if old else 'strip_size_kb': 4})
            shown, = call('get_bdevs' if old else 'bdev_get_bdevs', name='r')
            shown = shown['driver_specific']['raid']
            self.assertEqual(members, {
                name: value for name, value in shown.items()
                if name.startswith(('strip', 'raid'))}, release)

    def test_volumes(self):
        """A volume was called as its alias is now, and had pages."""
        for release, name, aliases, size in (
                ('v18.01', 'l/v', [], 4096),
                ('v18.07', None, ['l/v'], 4096),
                ('v18.10', None, ['l/v'], 512)):
            call = self.start(release)
            self.malloc('a', blocks=131072)
            call('construct_lvol_store', bdev_name='a', lvs_name='l')
            made = call('construct_lvol_bdev', lvs_name='l', lvol_name='v',
                        size=2 ** 22)
            shown, = call('get_bdevs', name='l/v')
            made = made[0] if release < 'v18.07' else made
            self.assertEqual(
                (name or made, aliases, size),
                (shown['name'], shown['aliases'], shown['block_size']))
            self.assertEqual(shown['name'], made)

    def test_store_on_odd_blocks(self):
        """A page must have whole blocks, whatever the size."""
        self.start('v19.07')
        self.malloc('a', block_size=513)
        self.refused(-32602, 'Invalid argument', 'construct_lvol_store',
                     bdev_name='a', lvs_name='l', cluster_sz=2 ** 26)

    def test_small_ones_stay(self):
        """v18.01 never closes what is too small for a store of volumes."""
        call = self.start('v18.01')
        self.malloc('a', blocks=8)
        connection = replay.Connection(self.target.socket, 1)
        self.addCleanup(connection.close)
        connection.send(b'{"jsonrpc":"2.0","id":1,"method":"delete_bdev",'
                        b'"params":{"name":"a"}}')
        self.assertRaises(TimeoutError, connection.line)
        self.assertEqual(['a'], [bdev['name'] for bdev in call('get_bdevs')])

    def test_firmware(self):
        """Up to v19.10 what was never set is freed."""
        for release in ('v18.01', 'v19.07'):
            self.start(release)
            self.killed(signal.SIGSEGV, 'apply_nvme_firmware',
                        filename='x', bdev_name='nosuch')
