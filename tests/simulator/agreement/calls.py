# SPDX-License-Identifier: Apache-2.0

"""Random calls: right, wrong, missing, extra, mistyped, out of range."""

import fnmatch
import json
import os

from spdk_simulator import release as releases
from tests.simulator.agreement import names
from tests.simulator.agreement import unlike

with open(os.path.join(os.path.dirname(__file__), 'pools.json')) as _file:
    _POOLS = json.load(_file)

#: Values that hardly any parameter takes.
_STRANGE = (None, '', 0, -1, 1, 1.5, True, False, [], {}, 'x', 'x' * 300,
            2 ** 31, 2 ** 32, 2 ** 63, 2 ** 64, [None], {'a': 1}, 'é',
            'a\u0000b', 1e3, -2 ** 31)

#: Calls that end a target, that never end, or that reach out of it.
EXCLUDED = frozenset((
    'spdk_kill_instance', 'framework_start_init', 'framework_wait_init',
    'framework_monitor_context_switch', 'env_dpdk_get_mem_stats',
    # What differs between builds and moments, not between states.
    'rpc_get_methods', 'log_get_flags', 'accel_get_stats',
    'thread_get_pollers', 'thread_get_io_channels', 'iobuf_get_stats',
    'thread_get_stats', 'framework_get_reactors', 'spdk_get_version',
    # Looks for what is there once a second.
    'bdev_nvme_start_discovery',
    # Gone with v26.05; nobody could use what they make.
    'blobfs_create', 'blobfs_detect'))


class World:
    """What the calls may refer to; learnt from the real target.

    :param release: e.g. ``v26.05``.
    :param random: a :class:`random.Random`.
    :param methods: names of the methods that both have.
    :ivar methods: those that may be called.
    :ivar called: dict: today's name of a method -> its name here.
    """

    def __init__(self, release, random, methods):
        self.random = random
        self.release = releases.Release(release)
        self.called = names.of(self.release, methods)
        self.today = {name: names.current(name) for name in methods}
        self.methods = [name for name in methods
                        if self.today[name] not in EXCLUDED]
        self.bdevs = []
        self.blocks = {}
        self.lvols = []
        self.uuids = []
        self.stores = []
        self.zoned = []
        self.delayed = False
        self.portals = []

    def learn(self, bdevs):
        """Take over a reply of ``bdev_get_bdevs``."""
        self.bdevs = [bdev['name'] for bdev in bdevs]
        self.blocks = {name: bdev['num_blocks'] for bdev in bdevs
                       for name in (bdev['name'], *bdev['aliases'])}
        self.zoned = [name for bdev in bdevs if bdev.get('zoned')
                      for name in (bdev['name'], *bdev['aliases'])]
        self.delayed = any('delay' in bdev['driver_specific']
                           for bdev in bdevs)
        self.uuids = [bdev['uuid'] for bdev in bdevs if 'uuid' in bdev]
        self.lvols = [bdev['name'] for bdev in bdevs
                      if 'lvol' in bdev['driver_specific']]
        self.lvols += [bdev['aliases'][0] for bdev in bdevs
                       if 'lvol' in bdev['driver_specific']]

    def learn_portals(self, groups):
        """Take over a reply of ``iscsi_get_portal_groups``."""
        self.portals = [(portal['host'], portal['port'])
                        for group in groups for portal in group['portals']]

    # One call.

    def request(self, method, identity=1):
        """One random call of a method, as JSON text; None if that one is
        known to kill a real target, or to differ.
        """
        params = self.params(method)
        today = self.today[method]
        if not self._harmless(today, params) \
                or not unlike.allowed(self, today, params):
            return None
        body = {'jsonrpc': '2.0', 'id': identity, 'method': method}
        text = json.dumps(body)[:-1]
        if params is not None:
            text += ', "params": ' + self._written(params)
        return text + '}'

    def _written(self, params):
        text = json.dumps(params)
        if isinstance(params, dict) and params and self._chance(0.01):
            name = self.random.choice(list(params))
            text = (text[:-1] + ', ' + json.dumps(name) + ': '
                    + json.dumps(params[name]) + '}')
        return text

    def _chance(self, probability):
        return self.random.random() < probability

    def params(self, method):
        """Random parameters for a method, or None for no parameters."""
        spec = self._spec(method)
        fields = spec.get('fields') or ()
        params = {}
        optional = [field for field in fields if field[2]]
        often = min(0.5, 1.3 / len(optional)) if optional else 0
        for name, kind, may_miss in fields:
            if not may_miss or self._chance(often):
                params[name] = self.value(method, name, kind)
        if self._chance(0.14):
            params = self._spoil(params, method, fields)
        if not params and self._chance(0.8):
            return None
        return params

    def _spec(self, method):
        for first, last, spec in releases.data('parameters')['methods'].get(
                method, ()):
            if self.release.covers(first, last):
                return spec
        return {}

    def _spoil(self, params, method, fields):
        choice = self.random.randrange(5)
        if choice == 0 and params:
            del params[self.random.choice(list(params))]
        elif choice == 1:
            params['bogus'] = self.random.choice(_STRANGE)
        elif choice == 2 and self._chance(0.3):
            return self.random.choice(([], None, {}, [1], [{}]))
        elif fields:
            name = self.random.choice(fields)[0]
            params[name] = self.random.choice(_STRANGE)
        return params

    def value(self, method, name, kind):
        """A value for a parameter, mostly of the right kind."""
        pool = _POOLS['methods'].get(f'{method}.{name}') \
            or self._pool(self.today[method], name)
        if pool is None:
            pool = {'bool': (True, False), 'string': ('x', ''),
                    }.get(kind, (0, 1, 2, 16, 255, 4096))
        return self.fill(self.random.choice(pool))

    def _pool(self, method, name):
        key = f'{method}.{name}'
        for pattern, pool in _POOLS['methods'].items():
            if fnmatch.fnmatchcase(key, pattern) and not (
                    pattern == '*.name' and name in _POOLS['fields']):
                return pool
        return _POOLS['fields'].get(name)

    def fill(self, value):
        """Put what exists in the place of ``@bdev`` and the like."""
        if isinstance(value, dict):
            return {key: self.fill(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.fill(item) for item in value]
        if isinstance(value, str) and '@' in value:
            for mark, known in (('@bdev', self.bdevs),
                                ('@lvol', self.lvols or ['lvs0/l0']),
                                ('@uuid', self.uuids), ('@solid', [
                                    name for name in self.bdevs
                                    if name[:1] not in 'PDE'])):
                while mark in value:
                    value = value.replace(
                        mark, self.random.choice(known or ['M0']), 1)
        return value

    def _harmless(self, method, params):
        if not isinstance(params, dict):
            return True
        return all(rule(self, params) for rule in HARMFUL.get(method, ()))


def _free_name(world, params):
    name = params.get('name')
    return isinstance(name, str) and name not in world.bdevs and name and \
        name != params.get('base_bdev_name') and str(
            params.get('base_bdev_name'))[:1] != 'P'


def _has_blocks(world, params):
    return params.get('block_size') != 0


def _fits(world, params):
    # Before v18.10 a target takes all its memory at the start, and for
    # iSCSI much of that.
    room = 1 if 'iscsi_create_target_node' in world.called else 4
    size = [params.get(name) for name in ('num_blocks', 'block_size')]
    return world.release >= 1810 or not all(
        isinstance(number, int) for number in size) \
        or size[0] * size[1] <= room << 20


def _divisible(world, params):
    # A part without a block is divided by; see a bdev's num_blocks.
    count, size = params.get('split_count'), params.get('split_size_mb')
    blocks = world.blocks.get(str(params.get('base_bdev')), 0)
    return not isinstance(count, int) or (
        count <= blocks and (not size or size in (1, 2, 4)))


def _complete_address(world, params):
    address = params.get('listen_address')
    return not isinstance(address, dict) or 'trtype' in address


def _beneath(world, params):
    # A RAID bdev that gets what stands on it waits for ever, and a rebuild
    # takes its time.
    return str(params.get('base_bdev'))[:1] in 'MNAx' and world.blocks.get(
        str(params.get('raid_bdev')), 0) < 10 ** 6


def _no_snapshot(world, params):
    # Two that are each other's parent are walked along for ever.
    store, _, name = str(params.get('lvol_name')).partition('/')
    return name[:1] in ('', 'l', 'c') and (name or store not in world.uuids)


def _small_target(world, params):
    # Every place for a subsystem is looked at when the target goes.
    most = params.get('max_subsystems')
    return (world.release >= 2505 or 'discovery_filter' not in params) and (
        world.release >= 2301 or not isinstance(most, (int, float))
        or most < 2 ** 20)


def _known_luns(world, params):
    # Written behind the end of an array.
    numbers = [lun.get('lun_id') for lun in params.get('luns') or ()
               if isinstance(lun, dict)] \
        if isinstance(params.get('luns'), list) else []
    numbers += params.get('lun_ids') \
        if isinstance(params.get('lun_ids'), list) else []
    return world.release >= 2110 or all(
        isinstance(number, int) and 0 <= number < 64 for number in numbers)


def _divided(world, params):
    # Numbers of buffers are divided by it.
    return world.release >= 2201 or (params.get('io_unit_size') != 0
                                     and params.get('max_io_size') != 0)


#: method -> rules that a call must meet, or a real target dies of it.
HARMFUL = {
    'bdev_passthru_create': (_free_name,),
    'bdev_null_create': (_has_blocks,),
    'bdev_malloc_create': (_fits, lambda world, params: _has_blocks(
        world, params) or not params.get('md_size')),
    # Frees what it never set.
    'bdev_nvme_apply_firmware': (lambda world, params: world.release >= 2001
                                 or not params,),
    'bdev_split_create': (_divisible,),
    'bdev_raid_add_base_bdev': (_beneath,),
    'bdev_lvol_set_parent': (_no_snapshot,),
    'iscsi_create_target_node': (_known_luns,),
    'nvmf_create_transport': (_divided,),
    'nvmf_subsystem_add_listener': (_complete_address,),
    'nvmf_subsystem_remove_listener': (_complete_address,),
    'nvmf_subsystem_listener_set_ana_state': (_complete_address,),
    'iscsi_create_portal_group': (lambda world, params: params.get(
        'tag') != -1,),
    'nvmf_create_target': (_small_target,),
    'vhost_start_scsi_controller': (lambda world, params: str(
        params.get('ctrlr', 'vs'))[:2] != 'vb',),
}
