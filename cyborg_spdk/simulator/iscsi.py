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

"""The iSCSI target's state (``lib/iscsi``)."""


class Layer:
    """All iSCSI objects of a target."""

    def __init__(self, target):
        self.target = target
        self.portal_groups = {}
        self.initiator_groups = {}
        self.nodes = {}
        self.auth_groups = {}

    def start(self):
        """Nothing is made at the start."""

    def shut_down(self):
        """Nothing of it is outside of the process."""
