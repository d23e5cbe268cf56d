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


"""Which bdevs ask others for their memory domains.

Passthru and delay bdevs ask their base; a volume asks its store's base and
the bdev that it began as (``get_memory_domains`` of the modules).
"""

_ASKING = frozenset(("passthru", "delay"))


def _asked(layer, bdev):
    if bdev.module == "lvol":
        external = bdev.lvol.external
        found = layer.find(external) if external else None
        return [other for other in (bdev.lvol.store.base, found) if other]
    return bdev.base_bdevs if bdev.module in _ASKING else ()


def endless(layer, bdev, above=()):
    """Tell whether a bdev is asked by those that it asks itself.

    A real target asks on until its stack is used up.

    :param layer: the :class:`.bdevs.Layer`.
    """
    return bdev in above or any(
        endless(layer, other, (*above, bdev))
        for other in _asked(layer, bdev))
