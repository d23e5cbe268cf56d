# SPDX-License-Identifier: Apache-2.0

import json

from cyborg.objects import base as cyborg_base
from cyborg.objects import register_all
import testtools

from cyborg_spdk.drivers.report import cyborg_limits
from cyborg_spdk.drivers.report import entries
from cyborg_spdk.drivers.report import inventory
from tests.unit.drivers.report import test_entries


class InventoryTest(testtools.TestCase):

    def setUp(self):
        super().setUp()
        register_all()
        self.target = test_entries.target()
        self.entries, _bad = entries.of_units(
            'h', self.target, [test_entries.unit(nsid='1'),
                               test_entries.unit(nsid='2')])

    def device(self, **facts):
        return inventory.device('h', self.target, self.entries, facts)

    def test_every_field_of_every_object_is_set(self):
        waiting = [self.device(version='v26.05'),
                   inventory.stub('h', self.target)]
        seen = set()
        while waiting:
            one = waiting.pop()
            seen.add(type(one).__name__)
            for name in one.fields:
                if name in ('created_at', 'updated_at'):
                    continue
                self.assertTrue(one.obj_attr_is_set(name),
                                f'{type(one).__name__}.{name}')
                value = getattr(one, name)
                for item in value if isinstance(value, list) else [value]:
                    if isinstance(item, cyborg_base.DriverObjectBase):
                        waiting.append(item)
        self.assertEqual(5, len(seen))

    def test_it_travels(self):
        serializer = cyborg_base.CyborgObjectSerializer()
        sent = json.loads(json.dumps(
            serializer.serialize_entity(None, [self.device()])))
        device, = serializer.deserialize_entity(None, sent)
        self.assertEqual(
            list(self.entries), [one.name for one in device.deployable_list])

    def test_one_accelerator_and_one_handle_each(self):
        for one, entry in zip(self.device().deployable_list,
                              self.entries.values(), strict=True):
            self.assertEqual(1, one.num_accelerators)
            handle, = one.attach_handle_list
            self.assertEqual(('TEST_PCI', entry.handle, False), (
                handle.attach_type, handle.attach_info, handle.in_use))
            self.assertEqual(
                [('rc', 'CUSTOM_SPDK_NVMF'),
                 ('trait_CUSTOM_SPDK', 'CUSTOM_SPDK')],
                [(item.key, item.value) for item in one.attribute_list])

    def test_control_path_of_device_and_stub(self):
        for device in (self.device(), inventory.stub('h', self.target)):
            self.assertEqual('PCI', device.controlpath_id.cpid_type)
            self.assertEqual('{"host":"h","target":"spdk_nvmf"}',
                             device.controlpath_id.cpid_info)

    def test_stub(self):
        stub = inventory.stub('h', self.target)
        self.assertTrue(stub.stub)
        self.assertEqual([], stub.deployable_list)
        self.assertFalse(self.device().stub)

    def test_board_info_fits_and_says_what_it_leaves_out(self):
        long = {str(number): 'x' * 36 for number in range(3000)}
        for facts, expected in (
                ({'version': 'v1'}, {'version': 'v1'}),
                ({'version': 'v1', 'uuids': long},
                 {'version': 'v1', 'left_out': ['uuids']}),
                ({'version': 'v1', 'uuids': long, 'listeners': long},
                 {'version': 'v1', 'left_out': ['listeners', 'uuids']}),
                ({'version': 'ü' * cyborg_limits.BOARD_INFO},
                 {'left_out': ['everything']})):
            text = inventory.board_info(facts)
            self.assertLessEqual(len(text.encode()), cyborg_limits.BOARD_INFO)
            self.assertEqual(expected, json.loads(text))
