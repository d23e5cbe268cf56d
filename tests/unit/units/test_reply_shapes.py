# SPDX-License-Identifier: Apache-2.0

import testtools

from cyborg_spdk import exceptions
from cyborg_spdk.units import reply_shapes
from tests.unit.units import recorded


class ShapesTest(testtools.TestCase):

    def test_replies_of_every_release_are_taken(self):
        for release in recorded.RELEASES:
            for method, reply in recorded.load(release).items():
                reply_shapes.check('/s', method, reply)

    def test_others_are_refused_with_what_is_wrong(self):
        for method, reply, part in (
                ('bdev_get_bdevs', None, 'result is None, not a list'),
                ('bdev_get_bdevs', [{'name': 'a', 'num_blocks': 1}],
                 'result[0] has no block_size'),
                ('bdev_get_bdevs', [{'name': 'a', 'num_blocks': True,
                                     'block_size': 512}], 'not int'),
                ('nvmf_get_subsystems', [{'nqn': 'n', 'subtype': 'NVMe'}],
                 'n has no namespaces'),
                ('nvmf_get_subsystems', [{
                    'nqn': 'n', 'subtype': 'NVMe', 'listen_addresses': [],
                    'namespaces': [{'nsid': '1'}]}],
                 "n.namespaces[0].nsid is '1', not int"),
                ('vhost_get_controllers', [{
                    'ctrlr': 'c', 'socket': '/s', 'backend_specific': {
                        'scsi': [{}]}}], 'c.scsi[0] has no scsi_dev_num'),
                ('iscsi_get_target_nodes', [{'name': 'n', 'luns': [7]}],
                 'luns[0] is 7, not an object'),
                ('accel_get_opc_assignments', [], 'not dict')):
            error = self.assertRaises(exceptions.ProtocolError,
                                      reply_shapes.check, '/s', method, reply)
            self.assertIn(method, str(error))
            self.assertIn(part, str(error))
