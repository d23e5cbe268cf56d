# SPDX-License-Identifier: Apache-2.0

"""iSCSI by the clients: each operation right and wrong."""

import itertools

from cyborg_spdk import clients
from cyborg_spdk import exceptions
from tests.functional.fixtures import clients as fixture
from tests.functional.fixtures import target

_tags = itertools.count(1)


class IscsiCase(fixture.ClientTests):
    """An ``iscsi_tgt``."""

    application = 'iscsi_tgt'
    client_class = clients.IscsiTgt

    def portals(self, **options):
        """A new portal group; returns its number."""
        return self.tgt.iscsi_create_portal_group(
            next(_tags), [f'127.0.0.1:{fixture.free_port()}'], **options)

    def initiators(self):
        """A new initiator group; returns its number."""
        return self.tgt.iscsi_create_initiator_group(
            next(_tags), ['ANY'], ['127.0.0.0/8'])

    def node(self, **options):
        """A new target node with one LUN; returns its name."""
        return self.tgt.iscsi_create_target_node(
            fixture.unique('disk'), [self.malloc()],
            [(self.portals(), self.initiators())], disable_chap=True,
            **options)


class IscsiGroups(IscsiCase):
    """Portal groups, initiator groups, groups of CHAP secrets."""

    def find(self, read, tag):
        """The group of that number in a list."""
        return next((one for one in read() if one.tag == tag), None)

    def test_portal_group(self):
        tag, port = next(_tags), fixture.free_port()
        portal = f'127.0.0.1:{port}'
        self.assertEqual(tag, self.tgt.iscsi_create_portal_group(
            tag, [portal]))
        found = self.find(self.tgt.iscsi_get_portal_groups, tag)
        self.assertEqual([('127.0.0.1', str(port))],
                         [(one.host, one.port) for one in found.portals])
        self.assertEqual(tag, self.tgt.iscsi_create_portal_group(
            tag, [portal], exist_ok=True))
        self.assertFails(exceptions.AlreadyExists, f'portal group {tag}',
                         self.tgt.iscsi_create_portal_group, tag, [portal])
        self.assertFails(
            exceptions.AlreadyExists, [portal, f'in portal group {tag}'],
            self.tgt.iscsi_create_portal_group, next(_tags), [portal])
        self.assertFails(
            exceptions.AlreadyExists, f'with {portal}, not',
            self.tgt.iscsi_create_portal_group, tag,
            [f'127.0.0.1:{fixture.free_port()}'], exist_ok=True)
        self.assertFails(exceptions.Busy, 'address',
                         self.tgt.iscsi_create_portal_group, next(_tags),
                         [f'{fixture.foreign_address()}:3260'])
        for portals in ([], ['127.0.0.1:99999'], ['nohost:3260'],
                        ['127.0.0.1:13260', '127.0.0.1:13260']):
            self.assertFails(exceptions.InvalidValue, 'portal',
                             self.tgt.iscsi_create_portal_group,
                             next(_tags), portals)
        self.assertTrue(self.tgt.iscsi_delete_portal_group(tag))
        self.assertFalse(self.tgt.iscsi_delete_portal_group(
            tag, missing_ok=True))
        for call in (self.tgt.iscsi_delete_portal_group,
                     self.tgt.iscsi_start_portal_group):
            self.assertFails(exceptions.NotFound, f'portal group {tag}',
                             call, tag)

    def test_portal_group_that_waits(self):
        tag = self.portals(wait=True, private=True)
        self.assertTrue(self.tgt.iscsi_start_portal_group(tag))
        self.assertTrue(self.find(self.tgt.iscsi_get_portal_groups,
                                  tag).private)
        self.assertTrue(self.tgt.iscsi_portal_group_set_auth(
            tag, disable_chap=True))
        self.assertFails(exceptions.NotFound, 'portal group 9999',
                         self.tgt.iscsi_portal_group_set_auth, 9999,
                         disable_chap=True)

    def test_initiator_group(self):
        tag = next(_tags)
        names, masks = ['iqn.2016-06.io.spdk:init1', '!ANY'], ['10.0.0.0/8']
        self.assertEqual(tag, self.tgt.iscsi_create_initiator_group(
            tag, names, masks))
        found = self.find(self.tgt.iscsi_get_initiator_groups, tag)
        self.assertEqual((tuple(names), tuple(masks)),
                         (found.initiators, found.netmasks))
        self.assertEqual(tag, self.tgt.iscsi_create_initiator_group(
            tag, names, masks, exist_ok=True))
        self.assertFails(exceptions.AlreadyExists, f'group {tag}',
                         self.tgt.iscsi_create_initiator_group, tag, names,
                         masks)
        self.assertFails(exceptions.AlreadyExists, 'netmasks',
                         self.tgt.iscsi_create_initiator_group, tag, names,
                         ['ANY'], exist_ok=True)
        for wrong in ((['bad name'], masks), (names, ['bogus']),
                      ([], masks), (names, [])):
            self.assertFails(exceptions.InvalidValue, '',
                             self.tgt.iscsi_create_initiator_group,
                             next(_tags), *wrong)
        add = self.tgt.iscsi_initiator_group_add_initiators
        remove = self.tgt.iscsi_initiator_group_remove_initiators
        new = 'iqn.2016-06.io.spdk:init3'
        self.assertTrue(add(tag, [new], ['127.0.0.3']))
        self.assertFails(exceptions.AlreadyExists, new, add, tag, [new])
        self.assertTrue(remove(tag, [new], ['127.0.0.3']))
        self.assertFails(exceptions.NotFound, new, remove, tag, [new])
        for call in (add, remove):
            self.assertFails(exceptions.NotFound, 'group 9999', call, 9999,
                             [new])
        self.assertTrue(self.tgt.iscsi_delete_initiator_group(tag))
        self.assertFalse(self.tgt.iscsi_delete_initiator_group(
            tag, missing_ok=True))
        self.assertFails(exceptions.NotFound, f'group {tag}',
                         self.tgt.iscsi_delete_initiator_group, tag)

    def test_auth_group(self):
        tag = next(_tags)
        secret = {'user': 'u1', 'secret': 'geheim123456'}
        self.assertEqual(tag, self.tgt.iscsi_create_auth_group(
            tag, [secret]))
        found = self.find(self.tgt.iscsi_get_auth_groups, tag)
        self.assertEqual(('u1',), found.users)
        self.assertNotIn('geheim', repr(found) + repr(found.raw))
        self.assertEqual(tag, self.tgt.iscsi_create_auth_group(
            tag, [secret], exist_ok=True))
        failed = self.assertFails(
            exceptions.AlreadyExists, f'auth group {tag}',
            self.tgt.iscsi_create_auth_group, tag, [secret])
        self.assertNotIn('geheim', repr(failed))
        add = self.tgt.iscsi_auth_group_add_secret
        remove = self.tgt.iscsi_auth_group_remove_secret
        self.assertTrue(add(tag, 'u2', 's2', muser='m', msecret='ms'))
        self.assertFails(exceptions.AlreadyExists, "'u2'", add, tag, 'u2',
                         's2')
        self.assertFails(exceptions.NotFound, 'group 9999', add, 9999, 'u',
                         's')
        self.assertTrue(remove(tag, 'u2'))
        self.assertFalse(remove(tag, 'u2', missing_ok=True))
        self.assertFails(exceptions.NotFound, "'u2'", remove, tag, 'u2')
        self.assertFails(exceptions.NotFound, 'group 9999', remove, 9999,
                         'u', missing_ok=True)
        self.assertTrue(self.tgt.iscsi_delete_auth_group(tag))
        self.assertFalse(self.tgt.iscsi_delete_auth_group(
            tag, missing_ok=True))
        self.assertFails(exceptions.NotFound, f'group {tag}',
                         self.tgt.iscsi_delete_auth_group, tag)


class IscsiNodes(IscsiCase):
    """Target nodes, LUNs, connections."""

    def read(self, name):
        """The target node as it is now."""
        return self.tgt.iscsi_get_target_nodes(name)[0]

    def test_target_node(self):
        short, one, two = fixture.unique('disk'), self.malloc(), \
            self.malloc()
        pair = (self.portals(), self.initiators())
        full = self.tgt.iscsi_create_target_node(
            short, {0: one, 5: two}, [pair], alias_name='Data',
            disable_chap=True, header_digest=True)
        self.assertEqual(f'iqn.2016-06.io.spdk:{short}', full)
        found = self.read(short)
        self.assertEqual(found, self.read(full))
        self.assertEqual({0: one, 5: two}, {
            lun.lun_id: lun.bdev_name for lun in found.luns})
        self.assertEqual([pair], [(one.pg_tag, one.ig_tag)
                                  for one in found.pg_ig_maps])
        self.assertEqual('Data', found.alias_name)
        if self.tgt.rpc.version >= (18, 4):
            self.assertEqual((True, True, False),
                             (found.disable_chap, found.header_digest,
                              found.data_digest))
        self.assertIn(full, [one.device_name
                             for one in self.tgt.scsi_get_devices()])
        self.assertEqual(full, self.tgt.iscsi_create_target_node(
            short, {0: one, 5: two}, [pair], exist_ok=True))
        self.assertFails(
            exceptions.AlreadyExists, [full, 'luns'],
            self.tgt.iscsi_create_target_node, full, [one], [pair],
            exist_ok=True)
        self.assertFails(exceptions.AlreadyExists, full,
                         self.tgt.iscsi_create_target_node, full, [one],
                         [pair])
        self.assertTrue(self.tgt.iscsi_delete_target_node(short))
        self.assertFalse(self.tgt.iscsi_delete_target_node(
            short, missing_ok=True))
        for call in (self.tgt.iscsi_delete_target_node,
                     self.tgt.iscsi_get_target_nodes):
            self.assertFails(exceptions.NotFound, full, call, short)

    def test_target_node_that_cannot_be(self):
        bdev, claimed = self.malloc(), self.null()
        above = self.tgt.bdev_passthru_create(fixture.unique('P'), claimed)
        good = {'name': fixture.unique('disk'), 'luns': [bdev],
                'pg_ig_maps': [(self.portals(), self.initiators())]}
        for change, error, words in (
                ({'luns': ['nosuch']}, exceptions.NotFound,
                 "bdev 'nosuch'"),
                ({'luns': [claimed]}, exceptions.PermissionDenied,
                 [claimed, above]),
                ({'luns': []}, exceptions.InvalidValue, 'LUN 0'),
                ({'luns': {1: bdev}}, exceptions.InvalidValue, 'LUN 0'),
                ({'luns': [(0, bdev), (0, bdev)]}, exceptions.InvalidValue,
                 'twice'),
                ({'luns': {0: bdev, 999: bdev}}, exceptions.InvalidValue,
                 '999'),
                ({'pg_ig_maps': [(9999, 1)]}, exceptions.NotFound,
                 'portal group 9999'),
                ({'pg_ig_maps': [(good['pg_ig_maps'][0][0], 9999)]},
                 exceptions.NotFound, 'initiator group 9999'),
                ({'pg_ig_maps': []}, exceptions.InvalidValue, 'pg_ig_maps'),
                ({'name': 'disk 2!'}, exceptions.InvalidValue, 'disk 2!'),
                ({'disable_chap': True, 'require_chap': True},
                 exceptions.InvalidValue, 'disable_chap')):
            with self.subTest(change=change):
                self.assertFails(
                    error, words, self.tgt.iscsi_create_target_node,
                    **{**good, **change})

    def test_lun(self):
        name, bdev = self.node(), self.malloc()
        add = self.tgt.iscsi_target_node_add_lun
        self.assertEqual(1, add(name, bdev))
        self.assertEqual(7, add(name, self.malloc(), lun_id=7))
        self.assertEqual(1, add(name, bdev, exist_ok=True))
        self.assertEqual(bdev, self.read(name).lun(1).bdev_name)
        self.assertFails(exceptions.AlreadyExists, ['LUN 1', bdev], add,
                         name, self.malloc(), lun_id=1)
        self.assertFails(exceptions.NotFound, "bdev 'nosuch'", add, name,
                         'nosuch')
        self.assertFails(exceptions.NotFound, 'nosuch', add, 'nosuch', bdev)

    def test_maps(self):
        name, pair = self.node(), (self.portals(), self.initiators())
        add = self.tgt.iscsi_target_node_add_pg_ig_maps
        remove = self.tgt.iscsi_target_node_remove_pg_ig_maps
        self.assertTrue(add(name, [pair]))
        self.assertEqual(2, len(self.read(name).pg_ig_maps))
        self.assertFails(exceptions.AlreadyExists, f'group {pair[0]}', add,
                         name, [pair])
        self.assertFails(exceptions.NotFound, 'portal group 9999', add,
                         name, [(9999, pair[1])])
        self.assertTrue(remove(name, [pair]))
        self.assertFails(exceptions.NotFound, f'group {pair[0]}', remove,
                         name, [pair])
        for call in (add, remove):
            self.assertFails(exceptions.NotFound, 'nosuch', call, 'nosuch',
                             [pair])

    def test_settings_of_a_node(self):
        name = self.node()
        self.assertTrue(self.tgt.iscsi_target_node_set_auth(
            name, require_chap=True, chap_group=1))
        self.assertEqual((True, 1), (self.read(name).require_chap,
                                     self.read(name).chap_group))
        self.assertTrue(self.tgt.iscsi_target_node_request_logout(name))
        pg_tag = self.read(name).pg_ig_maps[0].pg_tag
        redirect = self.tgt.iscsi_target_node_set_redirect
        private = self.portals(private=True)
        where = self.tgt.iscsi_get_portal_groups()
        where = next(one for one in where if one.tag == private).portals[0]
        self.assertTrue(redirect(name, pg_tag, redirect_host=where.host,
                                 redirect_port=where.port))
        self.assertTrue(redirect(name, pg_tag))
        for call, arguments in (
                (self.tgt.iscsi_target_node_set_auth,
                 {'disable_chap': True}),
                (self.tgt.iscsi_target_node_request_logout, {}),
                (redirect, {'pg_tag': pg_tag})):
            self.assertFails(exceptions.NotFound, 'nosuch', call, 'nosuch',
                             **arguments)
        self.assertFails(exceptions.InvalidValue, 'redirect_port', redirect,
                         name, pg_tag, redirect_host='127.0.0.1')

    def test_what_the_target_is(self):
        self.assertEqual('iqn.2016-06.io.spdk',
                         self.tgt.iscsi_get_options()['node_base'])
        self.assertEqual([], self.tgt.iscsi_get_connections())
        self.assertTrue(self.tgt.iscsi_set_discovery_auth(
            disable_chap=True))
        self.assertFails(exceptions.InvalidValue, 'CHAP setting',
                         self.tgt.iscsi_set_discovery_auth, chap='no')


target.for_releases(globals(), IscsiGroups)
target.for_releases(globals(), IscsiNodes)
target.for_releases(globals(), IscsiGroups, target.OLD_RELEASES[1:], (
    'test_initiator_group', 'test_auth_group'))
target.for_releases(globals(), IscsiNodes, target.OLD_RELEASES, (
    'test_target_node', 'test_lun', 'test_maps'))
