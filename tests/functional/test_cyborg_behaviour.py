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

"""What the drivers rely on in Cyborg and Placement, asked of the real ones.

A release of Cyborg that changes one of these is noticed here.
"""

import json
import uuid

import testtools

from tests.functional.fixtures import cloud


class FakeDriverTest(testtools.TestCase):
    """The fixture itself, with the driver that Cyborg brings along."""

    def setUp(self):
        super().setUp()
        self.host = self.useFixture(cloud.Host(['fake_driver']))
        self.cloud = self.host.cloud

    def test_report_profile_bind_unbind(self):
        tracker = self.cloud.tracker(self.host.name)
        self.cloud.report(tracker)
        providers = self.host.providers()
        name = f'{self.host.name.replace(".", "_")}_FakeDevice'
        self.assertEqual([name], list(providers))
        self.assertEqual({'FPGA': 16}, providers[name]['inventory'])
        self.assertEqual(['CUSTOM_FAKE_DEVICE'], providers[name]['traits'])

        arq = self.cloud.request(self.cloud.profile([
            {'resources:FPGA': '1'}]))
        bound = self.cloud.bind(arq, self.host.name, providers[name]['uuid'],
                                str(uuid.uuid4()))
        self.assertEqual('Bound', bound['state'])
        self.assertEqual('TEST_PCI', bound['attach_handle_type'])
        self.assertEqual('0c', bound['attach_handle_info']['bus'])
        self.assertEqual(
            [arq], [event['tag'] for event in self.cloud.events
                    if event['tag'] == arq])
        self.cloud.unbind(arq)
        self.assertNotEqual('Bound', self.cloud.arq(arq)['state'])

        before = json.dumps(self.host.providers(), sort_keys=True)
        self.cloud.report(tracker)
        self.assertEqual(before, json.dumps(self.host.providers(),
                                            sort_keys=True))
