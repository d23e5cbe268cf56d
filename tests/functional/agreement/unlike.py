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


def _beyond(limit, *names):
    """A rule: none of some parameters is a number beyond a limit."""
    def rule(world, params):
        return not any(isinstance(params.get(name), (int, float))
                       and not -limit < params[name] < limit
                       for name in names)
    return rule


def _without(name):
    """A rule: a parameter is missing, or 0."""
    return lambda world, params: not params.get(name)


def _free_portals(world, params):
    portals = params.get('portals')
    if not isinstance(portals, list):
        return True
    pairs = [(portal.get('host'), portal.get('port')) for portal in portals
             if isinstance(portal, dict)]
    return not any(pair in world.portals for pair in pairs) \
        and len(set(map(str, pairs))) == len(pairs)


def _unknown_base(world, params):
    return all(params.get(name) not in world.blocks
               for name in ('base_bdev', 'cache'))


#: (first release, last release, method, rule that a call must meet).
RULES = (
    # Ends once the machine has been up for longer; see the TSC.
    (0, LAST, 'framework_set_scheduler', _beyond(2 ** 32, 'period')),
    (0, LAST, 'bdev_delay_create', _beyond(
        2 ** 44, 'avg_read_latency', 'p99_read_latency',
        'avg_write_latency', 'p99_write_latency')),
    (0, LAST, 'bdev_delay_update_latency', _beyond(2 ** 44, 'latency_us')),
    # Memory that was never set is read.
    (2601, LAST, 'iscsi_create_portal_group', _free_portals),
    (2401, 2401, 'bdev_null_create', _without('md_size')),
    (0, 2205, 'bdev_ftl_create', _unknown_base),
)


def allowed(world, method, params):
    """Tell whether no difference is known in a call.

    :param world: a :class:`tests.functional.agreement.calls.World`.
    :param params: the call's parameters, of any kind.
    """
    return not isinstance(params, dict) or all(
        rule(world, params) for first, last, name, rule in RULES
        if name == method and first <= world.release <= last)
