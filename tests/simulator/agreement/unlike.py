# SPDX-License-Identifier: Apache-2.0


"""Calls in which the simulator is known to differ, and which are not made.

Each is told, with its reason, in ``doc/source/contributor/simulator.rst``.
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


def _roomy(world, params):
    # With less, or with more caches than there is, what comes later fails.
    for name, least in (('small_pool_count', 8192),
                        ('large_pool_count', 1024)):
        number = params.get(name)
        if isinstance(number, (int, float)) and (
                least // 128 <= number < least or number > 2 * least):
            return False
    return not any(isinstance(params.get(name), (int, float))
                   and params[name] > most for name, most in (
        ('iobuf_small_cache_size', 128), ('iobuf_large_cache_size', 16),
        ('small_cache_size', 128), ('large_cache_size', 16),
        ('small_bufsize', 2 ** 16), ('large_bufsize', 2 ** 18),
        ('bdev_io_pool_size', 2 ** 17), ('task_count', 2 ** 14),
        ('sequence_count', 2 ** 14), ('buf_count', 2 ** 14),
        ('pdu_pool_size', 2 ** 17), ('immediate_data_pool_size', 2 ** 17),
        ('data_out_pool_size', 2 ** 17), ('max_sessions', 2 ** 17)))


def _no_service(world, params):
    # It is taken for one behind the last.
    return 'svcid' not in str(params.get('discovery_filter'))


def _few_namespaces(world, params):
    number = params.get('max_namespaces')
    return not isinstance(number, (int, float)) or number < 2 ** 24


def _no_zones(world, params):
    return params.get('base_bdev') not in world.zoned


def _unknown_base(world, params):
    return all(params.get(name) not in world.blocks
               for name in ('base_bdev', 'cache'))


def _valid_json(world, params):
    return params.get('name') != 'bdev' or not world.delayed


#: (first release, last release, method, rule that a call must meet).
RULES = (
    (0, LAST, 'iobuf_set_options', _roomy),
    (0, LAST, 'bdev_set_options', _roomy),
    (0, LAST, 'accel_set_options', _roomy),
    (0, LAST, 'iscsi_set_options', _roomy),
    (2605, 2605, 'nvmf_set_config', _no_service),
    # Memory for each of them, and a look at each.
    (0, LAST, 'nvmf_create_subsystem', _few_namespaces),
    # Memory that was never set is read.
    (2601, LAST, 'iscsi_create_portal_group', _free_portals),
    (0, 2205, 'bdev_ftl_create', _no_zones),
    (0, 2110, 'bdev_ftl_create', _unknown_base),
    # A brace is missing behind a delay bdev: the reply is no JSON.
    (1907, 2110, 'framework_get_config', _valid_json),
)


def allowed(world, method, params):
    """Tell whether no difference is known in a call.

    :param world: a :class:`tests.simulator.agreement.calls.World`.
    :param params: the call's parameters, of any kind.
    """
    return not isinstance(params, dict) or all(
        rule(world, params) for first, last, name, rule in RULES
        if name == method and first <= world.release <= last)
