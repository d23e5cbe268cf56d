# SPDX-License-Identifier: Apache-2.0

"""Device profiles of the documentation, resolved by the real Placement."""

import json
import os
import re
import urllib.parse

from tests.functional.drivers import test_rules as rules
from tests.functional.fixtures import node as nodes

_DOC = os.path.join(os.path.dirname(__file__), '..', '..', '..', 'doc',
                    'source', 'reference', 'drivers.rst')

_PRODUCTS = {
    'AIO': 'AIO disk', 'URING': 'URING bdev', 'NULL': 'Null disk',
    'RAID': 'Raid Volume', 'SPLIT': 'Split Disk', 'PASSTHRU': 'passthru',
    'DELAY': 'delay', 'ERROR': 'Error Injection Disk', 'CRYPTO': 'crypto',
    'COMPRESS': 'compress', 'RBD': 'Ceph Rbd Disk', 'FTL': 'FTL disk',
    'OCF': 'OCF', 'NVME': 'NVMe disk',
    'NVME_ZNS': 'NVMe ZNS disk', 'MALLOC': 'Malloc disk',
    'LVOL': 'Logical Volume'}


def profiles():
    """Groups of each profile that the documentation makes, by its name."""
    with open(_DOC, encoding='utf-8') as source:
        text = source.read()
    return {name: json.loads(groups) for name, groups in re.findall(
        r"device profile create (\S+) \\\n\s*'(\[.*?\])'", text, re.DOTALL)}


def table():
    """Traits of the table in the documentation, spelt out."""
    with open(_DOC, encoding='utf-8') as source:
        text = source.read()
    begin = text.index('* - trait')
    end = text.index('   * - ``OWNER_CYBORG', begin)
    found = set()
    # Cyborg takes no other trait than those into a device profile.
    for row in re.split(r'\n   \* - (?=``CUSTOM)', text[begin:end])[1:]:
        first, *others = re.findall(r'``([A-Z0-9_]+)``', row)
        found.add(first)
        # "_RDMA": in place of the last words of the first.
        base = next((base for base in (
            'CUSTOM_SPDK_NVMF', 'CUSTOM_SPDK_BLOCK_SIZE',
            'CUSTOM_SPDK_BACKEND', 'CUSTOM_SPDK_ACCEL',
            'CUSTOM_SPDK_QOS')
            if first.startswith(base)), first)
        found |= {f'{base}_{other.strip("_")}' for other in others}
    return found


class ProfileTest(rules.NodeCase):

    KINDS = {'nvmf': ['spdk_nvmf'], 'vhost': ['spdk_vhost'],
             'iscsi': ['spdk_iscsi']}

    def setUp(self):
        super().setUp()
        products = iter(sorted(_PRODUCTS.values()) * 2)
        for kind, count in (('nvmf', 8), ('vhost', 8), ('iscsi', 16)):
            puppet = self.node.puppets[f'spdk_{kind}']
            puppet.units = {
                (number, -1 if kind == 'vhost' else 1):
                {'product': next(products), 'blocks': 2048,
                 'block_size': 4096 if number % 2 else 512}
                for number in range(1, count + 1)}
        self.transports()
        self.controllers()
        self.declare()
        for puppet in self.node.puppets.values():
            puppet.extra['accel_get_opc_assignments'] = lambda _params: {
                'crc32c': 'dsa', 'copy': 'ioat', 'fill': 'software',
                'encrypt': 'dpdk_cryptodev'}
        self.node.report()
        self.providers = self.node.providers()

    def transports(self):
        puppet = self.node.puppets['spdk_nvmf']
        found = puppet.replies()['nvmf_get_subsystems']
        for number, name in enumerate(('RDMA', 'FC', 'VFIOUSER')):
            found[number]['listen_addresses'][0]['trtype'] = name
        puppet.extra['nvmf_get_subsystems'] = lambda _params: found

    def controllers(self):
        puppet = self.node.puppets['spdk_vhost']
        puppet.units[9, 0] = nodes.DISK
        found = puppet.replies()['vhost_get_controllers']
        found[0]['backend_specific']['block']['readonly'] = True
        puppet.extra['vhost_get_controllers'] = lambda _params: found

    def declare(self):
        """Of one unit, what only units.yaml says."""
        path = self.node.path('units.yaml')
        with open(path, 'w') as out:
            json.dump({
                'pools': [{
                    'name': 'p', 'target': 'spdk_nvmf', 'disks': [
                        {'file': '/nowhere/disk', 'size': '1GiB'}]}],
                'units': [{
                    'pool': 'p', 'name': 'a', 'size': '1MiB',
                    'export': 'nvmf', 'listeners': ['tcp://127.0.0.1:1'],
                    'nqn': 'nqn.2016-06.io.spdk:cnode1', 'tls': True,
                    'qos_class': 'gold'}]}, out)
        self.node.options['units_file'] = path
        self.node.puppets['spdk_nvmf'].extra['framework_get_config'] = \
            lambda _params: [{
                'method': 'nvmf_subsystem_add_listener', 'params': {
                    'nqn': 'nqn.2016-06.io.spdk:cnode1',
                    'listen_address': {}, 'secure_channel': True}}]

    def candidates(self, group):
        """Names of this host's providers that Placement finds."""
        query = [('in_tree', self.node.root)]
        for key, value in group.items():
            what, _colon, name = key.partition(':')
            query.append(('resources', f'{name}:{value}')
                         if what == 'resources' else (what, name))
        query = [('required', name) if what == 'trait' else (what, name)
                 for what, name in query]
        found = self.node.cloud.get(
            '/allocation_candidates?' + urllib.parse.urlencode(query))
        uuids = {uuid for request in found['allocation_requests']
                 for uuid in request['allocations']}
        return {name for name, one in self.providers.items()
                if one['uuid'] in uuids}

    def holders(self, resource_class, *traits):
        return {name for name, one in self.providers.items()
                if resource_class in one['inventory']
                and set(traits) <= set(one['traits'])}

    def test_each_profile_of_the_documentation(self):
        self.assertEqual({'nvme-disk', 'vm-disk', 'checksummed-lun'},
                         set(profiles()))
        for name, (group,) in profiles().items():
            self.assertTrue(self.node.cloud.profile([group]))
            resource_class, = [key.partition(':')[2] for key in group
                               if key.startswith('resources')]
            traits = [key.partition(':')[2] for key in group
                      if key.startswith('trait')]
            expected = self.holders(resource_class, *traits)
            self.assertNotEqual(set(), expected, name)
            self.assertEqual(expected, self.candidates(group), name)

    def test_each_trait_of_the_table(self):
        named = table()
        self.assertGreater(len(named), 20)
        seen = set()
        for kind in self.KINDS:
            resource_class = f'CUSTOM_SPDK_{kind.upper()}'
            for trait in sorted(named):
                expected = self.holders(resource_class, trait)
                if not expected:
                    continue
                seen.add(trait)
                group = {f'resources:{resource_class}': '1',
                         f'trait:{trait}': 'required'}
                self.assertTrue(self.node.cloud.profile([group]))
                self.assertEqual(expected, self.candidates(group), trait)
        self.assertEqual(set(), named - seen)
