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


"""Calls in which the simulator is known to differ, and which are not made.

Each is told, with its reason, in ``doc/source/simulator.rst``.
"""

LAST = 9999


def _free_portals(world, params):
    portals = params.get('portals')
    if not isinstance(portals, list):
        return True
    pairs = [(portal.get('host'), portal.get('port')) for portal in portals
             if isinstance(portal, dict)]
    return not any(pair in world.portals for pair in pairs) \
        and len(set(map(str, pairs))) == len(pairs)


def _few_namespaces(world, params):
    number = params.get('max_namespaces')
    return not isinstance(number, (int, float)) or number < 2 ** 24


def _no_zones(world, params):
    return params.get('base_bdev') not in world.zoned


#: (first release, last release, method, rule that a call must meet).
RULES = (
    # Memory for each of them, and a look at each.
    (0, LAST, 'nvmf_create_subsystem', _few_namespaces),
    # Memory that was never set is read.
    (2601, LAST, 'iscsi_create_portal_group', _free_portals),
    (0, 2205, 'bdev_ftl_create', _no_zones),
)


def allowed(world, method, params):
    """Tell whether no difference is known in a call.

    :param world: a :class:`tests.functional.agreement.calls.World`.
    :param params: the call's parameters, of any kind.
    """
    return not isinstance(params, dict) or all(
        rule(world, params) for first, last, name, rule in RULES
        if name == method and first <= world.release <= last)
