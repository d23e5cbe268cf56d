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

"""NVMe controllers as a source of block devices."""

from cyborg_spdk.clients import validate


class BdevNvme:
    """Mixed into :class:`~cyborg_spdk.clients.bdev.BdevClient`."""

    def bdev_nvme_attach_controller(self, name, trtype, traddr, *,
                                    adrfam=None, trsvcid=None, subnqn=None,
                                    **options):
        """Connect an NVMe controller; its namespaces become bdevs."""
        validate.text('controller', name)
        return self._call(
            'bdev_nvme_attach_controller', name=name, trtype=trtype,
            traddr=traddr, adrfam=adrfam, trsvcid=trsvcid, subnqn=subnqn,
            _about=f'controller {name!r}', **options)
