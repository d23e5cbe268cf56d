# Licensed under the Apache License, Version 2.0 (the "License"); you may
# not use this file except in compliance with the License. You may obtain
# a copy of the License at
#
#      http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
# WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
# License for the specific language governing permissions and limitations
# under the License.

import testtools

from cyborg_spdk.drivers import shapes
from cyborg_spdk import exceptions
from tests.unit.drivers import recorded


class ShapesTest(testtools.TestCase):

    def test_replies_of_every_release_are_taken(self):
        for release in recorded.RELEASES:
            for method, reply in recorded.load(release).items():
                shapes.check('/s', method, reply)

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
                                      shapes.check, '/s', method, reply)
            self.assertIn(method, str(error))
            self.assertIn(part, str(error))
