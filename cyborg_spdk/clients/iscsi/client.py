# SPDX-License-Identifier: Apache-2.0

"""iSCSI target nodes, their LUNs and their connections."""

from cyborg_spdk.clients import base
from cyborg_spdk.clients.bdev import client as bdev_client
from cyborg_spdk.clients.iscsi import groups as iscsi_groups
from cyborg_spdk.clients.iscsi import values as iscsi_values
from cyborg_spdk.clients import pyspdk
from cyborg_spdk.clients import types
from cyborg_spdk.clients import validate
from cyborg_spdk import exceptions

_PREFIXES = ('iqn.', 'eui.', 'naa.')


class IscsiTgt(iscsi_groups.IscsiGroups, pyspdk.HistoricIscsi,
               bdev_client.BdevClient):
    """Client for ``iscsi_tgt``, or any SPDK application that has iSCSI.

    A target node may be given by its full name, or without the node base,
    as when it was created.
    """

    def iscsi_get_options(self):
        """Options of the iSCSI target.

        :returns: dict as SPDK has it, ``node_base`` among them.
        """
        return self._call('iscsi_get_options')

    def full_name(self, name):
        """The full name of a target node.

        :param name: full, or without the node base of the target.
        :returns: str.
        """
        validate.text('target node', name)
        if not name.lower().startswith(_PREFIXES):
            name = f'{self.iscsi_get_options()["node_base"]}:{name}'
        return iscsi_values.iscsi_name('target node', name)

    def iscsi_get_target_nodes(self, name=None):
        """The target nodes.

        :param name: the only one wanted; None means all.
        :returns: list of :class:`~cyborg_spdk.clients.types.TargetNode`.
        :raises NotFound: there is none of that name.
        """
        found = types.TargetNode.parse_list(
            self._call('iscsi_get_target_nodes'))
        if name is not None:
            full = self.full_name(name)
            found = [one for one in found if one.name == full]
            if not found:
                raise base.missing(
                    'iscsi_get_target_nodes',
                    {'name': full}, f'target node {full} does not exist')
        return found

    def find_target_node(self, name):
        """The target node of that name, or None."""
        try:
            return self.iscsi_get_target_nodes(name)[0]
        except exceptions.NotFound:
            return None

    def iscsi_create_target_node(self, name, luns, pg_ig_maps, *,
                                 alias_name=None, queue_depth=64,
                                 exist_ok=False, header_digest=None,
                                 data_digest=None, **chap):
        """Create a target node.

        :param name: its name, full or without the node base.
        :param luns: bdevs: a list of names, which become LUN 0, 1, ...;
            of ``(lun_id, bdev_name)``; or a dict of lun_id to name. There
            must be a LUN 0.
        :param pg_ig_maps: list of ``(pg_tag, ig_tag)``.
        :param alias_name: a second name; None means the first again.
        :param queue_depth: commands at once in a session.
        :param exist_ok: do not mind if it exists with these properties.
        :param header_digest: whether headers have a checksum.
        :param data_digest: whether data has one.
        :param chap: disable_chap, require_chap, mutual_chap, chap_group.
        :returns: its full name.
        :raises AlreadyExists: there is one of that name.
        :raises NotFound: a bdev or a group does not exist.
        :raises PermissionDenied: a bdev is in use by another module.
        """
        full = self.full_name(name)
        luns = iscsi_values.luns_of(luns)
        maps = iscsi_values.maps_of(pg_ig_maps)
        chap = iscsi_values.check_chap(chap)
        validate.integer('queue_depth', queue_depth, 1, 2 ** 31 - 1)
        params = {'pg_ig_maps': maps, 'luns': luns, **chap,
                  'header_digest': header_digest, 'data_digest': data_digest}
        if self._flat_arrays():
            params = iscsi_values.flat(params)
        self._create(
            'iscsi_create_target_node', f'target node {full}',
            lambda: self.find_target_node(full),
            {'luns': (iscsi_values.pairs_of(luns), lambda one: sorted(
                (lun.lun_id, lun.bdev_name) for lun in one.luns)),
             'maps': (sorted(tuple(one.values()) for one in maps),
                      lambda one: sorted((pair.pg_tag, pair.ig_tag)
                                         for pair in one.pg_ig_maps))},
            exist_ok,
            lambda exc: self._maps_cause(maps) or self._luns_cause(luns),
            name=full, alias_name=alias_name or full,
            queue_depth=queue_depth, **params)
        return full

    def _flat_arrays(self):
        """Whether maps and LUNs are arrays side by side (until v18.01)."""
        return not self.rpc.supports('iscsi_create_target_node',
                                     'pg_ig_maps')

    def _maps_cause(self, maps):
        portals = {one.tag for one in self.iscsi_get_portal_groups()}
        initiators = {one.tag for one in self.iscsi_get_initiator_groups()}
        for one in maps:
            if one['pg_tag'] not in portals:
                return exceptions.NotFound, \
                    f'portal group {one["pg_tag"]} does not exist'
            if one['ig_tag'] not in initiators:
                return exceptions.NotFound, \
                    f'initiator group {one["ig_tag"]} does not exist'
        return None

    def _luns_cause(self, luns):
        for one in luns:
            found = self._claimed(one['bdev_name'])
            if found:
                return found
        return None

    def iscsi_delete_target_node(self, name, *, missing_ok=False):
        """Delete a target node; its sessions end.

        :param name: its name.
        :param missing_ok: do not mind if there is none.
        :returns: True; False if it was not there.
        :raises NotFound: it was not there and ``missing_ok`` is not set.
        """
        full = self.full_name(name)
        return self._delete(
            'iscsi_delete_target_node', f'target node {full}',
            lambda: self.find_target_node(full) is None, missing_ok,
            name=full)

    def iscsi_target_node_add_lun(self, name, bdev_name, *, lun_id=None,
                                  exist_ok=False):
        """Give a target node another LUN.

        :param name: the target node.
        :param bdev_name: the bdev.
        :param lun_id: its number; None takes the first that is free.
        :param exist_ok: do not mind if the bdev is a LUN of it already,
            of that number if one is given.
        :returns: the number.
        :raises NotFound: no such target node or bdev.
        :raises AlreadyExists: the number is taken.
        """
        full = self.full_name(name)
        validate.text('bdev', bdev_name)
        if lun_id is not None:
            validate.integer('lun_id', lun_id, 0, validate.SCSI_LUNS - 1)
        before = self.iscsi_get_target_nodes(full)[0]
        if exist_ok:
            for one in before.luns:
                if one.bdev_name == bdev_name and lun_id in (None,
                                                             one.lun_id):
                    return one.lun_id

        method = 'iscsi_target_node_add_lun'
        taken = before.lun(lun_id) if lun_id is not None else None
        if taken is not None:
            # v18.01 puts the new one in its place (lib/scsi/dev.c).
            raise base.taken(
                method, {'name': full},
                f'LUN {lun_id} of {full} is bdev {taken.bdev_name!r}')
        self._call(method, name=full, bdev_name=bdev_name, lun_id=lun_id,
                   _about=f'bdev {bdev_name!r} as LUN of {full}',
                   _cause=lambda _exc: self._claimed(bdev_name))
        if lun_id is not None:
            return lun_id
        # SPDK does not tell which number it took.
        had = {one.lun_id for one in before.luns}
        return next(one.lun_id
                    for one in self.iscsi_get_target_nodes(full)[0].luns
                    if one.bdev_name == bdev_name and one.lun_id not in had)

    def iscsi_target_node_add_pg_ig_maps(self, name, pg_ig_maps):
        """Let more initiators come in by more portals.

        :param name: the target node.
        :param pg_ig_maps: list of ``(pg_tag, ig_tag)``.
        :returns: True.
        :raises NotFound: no such target node or group.
        :raises AlreadyExists: it has one of them already.
        """
        return self._change_maps('iscsi_target_node_add_pg_ig_maps', name,
                                 pg_ig_maps, False)

    def iscsi_target_node_remove_pg_ig_maps(self, name, pg_ig_maps):
        """Take back what :meth:`iscsi_target_node_add_pg_ig_maps` gave.

        :param name: the target node.
        :param pg_ig_maps: list of ``(pg_tag, ig_tag)``.
        :returns: True.
        :raises NotFound: no such target node, or it has not got them.
        """
        return self._change_maps('iscsi_target_node_remove_pg_ig_maps',
                                 name, pg_ig_maps, True)

    def _change_maps(self, method, name, pg_ig_maps, wanted):
        full = self.full_name(name)
        maps = iscsi_values.maps_of(pg_ig_maps)
        params = {'pg_ig_maps': maps}
        if self._flat_arrays():
            params = {key: [one[key[:-1]] for one in maps]
                      for key in ('pg_tags', 'ig_tags')}

        def cause(_exc):
            node = self.find_target_node(full)
            if node is None:
                return exceptions.NotFound, \
                    f'target node {full} does not exist'
            have = [(one.pg_tag, one.ig_tag) for one in node.pg_ig_maps]
            for one in maps:
                there = (one['pg_tag'], one['ig_tag']) in have
                if there and not wanted:
                    return exceptions.AlreadyExists, f'{full} has portal ' \
                        f'group {one["pg_tag"]} with initiator group ' \
                        f'{one["ig_tag"]} already'
                if wanted and not there:
                    return exceptions.NotFound, f'{full} has no portal ' \
                        f'group {one["pg_tag"]} with initiator group ' \
                        f'{one["ig_tag"]}'
            return self._maps_cause(maps)

        return self._call(method, name=full, _cause=cause,
                          _about=f'maps of target node {full}', **params)

    def iscsi_target_node_set_auth(self, name, **chap):
        """Set CHAP of a target node.

        :param name: the target node.
        :param chap: disable_chap, require_chap, mutual_chap, chap_group.
        :returns: True.
        :raises NotFound: no such target node.
        """
        return self._on_node('iscsi_target_node_set_auth', name,
                             **iscsi_values.check_chap(chap))

    def iscsi_target_node_set_redirect(self, name, pg_tag, *,
                                       redirect_host=None,
                                       redirect_port=None):
        """Send initiators of a portal group elsewhere (v20.10).

        :param name: the target node.
        :param pg_tag: number of a public portal group of it.
        :param redirect_host: IP address; None ends it.
        :param redirect_port: port; goes with the address.
        :returns: True.
        :raises NotFound: no such target node.
        """
        if (redirect_host is None) != (redirect_port is None):
            validate.refuse('redirect_port', redirect_port,
                            'host and port go together')
        if redirect_host is not None:
            validate.ip_address('redirect_host', redirect_host.strip('[]'))
            redirect_port = validate.port('redirect_port', redirect_port)
        return self._on_node(
            'iscsi_target_node_set_redirect', name,
            pg_tag=iscsi_values.tag(pg_tag, 'pg_tag'),
            redirect_host=redirect_host, redirect_port=redirect_port)

    def iscsi_target_node_request_logout(self, name, *, pg_tag=None):
        """Ask the initiators of a target node to log out (v20.10).

        :param name: the target node.
        :param pg_tag: only those of this portal group.
        :returns: True.
        :raises NotFound: no such target node.
        """
        return self._on_node('iscsi_target_node_request_logout', name,
                             pg_tag=pg_tag)

    def _on_node(self, method, name, /, **params):
        full = self.full_name(name)

        def cause(exc):
            node = self.find_target_node(full)
            if node is None:
                return exceptions.NotFound, \
                    f'target node {full} does not exist'
            tag = params.get('pg_tag')
            if tag is not None and tag not in [
                    one.pg_tag for one in node.pg_ig_maps]:
                return exceptions.NotFound, \
                    f'target node {full} has no portal group {tag}'
            if params.get('redirect_host'):
                return type(exc), f'target node {full}: portal group {tag} ' \
                    'is private, or it is where it would redirect to'
            return None

        return self._call(method, name=full, **params,
                          _about=f'target node {full}', _cause=cause)

    def iscsi_get_connections(self):
        """The connections of initiators.

        :returns: list of
            :class:`~cyborg_spdk.clients.types.IscsiConnection`.
        """
        return types.IscsiConnection.parse_list(
            self._call('iscsi_get_connections'))

    def iscsi_set_discovery_auth(self, **chap):
        """Set CHAP for discovery sessions.

        :param chap: disable_chap, require_chap, mutual_chap, chap_group.
        :returns: True.
        """
        return self._call('iscsi_set_discovery_auth',
                          _about='CHAP of discovery',
                          **iscsi_values.check_chap(chap))

    def scsi_get_devices(self):
        """The SCSI devices of the target.

        :returns: list of :class:`~cyborg_spdk.clients.types.ScsiDevice`.
        """
        return types.ScsiDevice.parse_list(self._call('scsi_get_devices'))
