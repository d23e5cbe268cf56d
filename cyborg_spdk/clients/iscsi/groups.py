# SPDX-License-Identifier: Apache-2.0

"""iSCSI portal groups, initiator groups and groups of CHAP secrets."""

from cyborg_spdk.clients import base
from cyborg_spdk.clients.iscsi import values as iscsi_values
from cyborg_spdk.clients import types
from cyborg_spdk.clients import validate
from cyborg_spdk import exceptions


class IscsiGroups:
    """Mixed into :class:`~cyborg_spdk.clients.iscsi.client.IscsiTgt`."""

    # Portal groups

    def iscsi_get_portal_groups(self):
        """The portal groups.

        :returns: list of
            :class:`~cyborg_spdk.clients.types.PortalGroup`.
        """
        return types.PortalGroup.parse_list(
            self._call('iscsi_get_portal_groups'))

    def iscsi_create_portal_group(self, tag_, portals, *, exist_ok=False,
                                  **options):
        """Listen for iSCSI.

        :param tag_: number of the group.
        :param portals: addresses as
            :func:`cyborg_spdk.clients.iscsi.values.portal` takes them.
        :param exist_ok: do not mind if it exists with these portals.
        :param options: others that the release has: private (v20.10),
            wait (v21.01: do not listen before
            :meth:`iscsi_start_portal_group`).
        :returns: the number.
        :raises AlreadyExists: there is a group of that number, or a
            portal is in another group.
        :raises Busy: SPDK cannot listen there.
        """
        iscsi_values.tag(tag_)
        portals = [iscsi_values.portal(one) for one in portals]
        if not portals:
            validate.refuse('portals', portals, 'give one at least')

        method = 'iscsi_create_portal_group'
        there = self._find('portal', tag_)
        if there is not None:
            have = sorted(f'{one.host}:{one.port}' for one in there.portals)
            want = sorted(f'{one["host"]}:{one["port"]}' for one in portals)
            if have == want and exist_ok:
                return tag_
            raise base.taken(
                method, {'tag': tag_},
                f'portal group {tag_} exists with '
                f'{", ".join(have) or "no portals"}'
                + (f', not {", ".join(want)}' if have != want else ''))
        self._portals_free(method, tag_, portals)
        self._call(
            method, tag=tag_, portals=portals, **options,
            _about=f'portal group {tag_}',
            _cause=lambda _exc: (
                exceptions.Busy, f'portal group {tag_}: an address is not '
                'one of the target\'s host, or its port is in use'))
        return tag_

    def _portals_free(self, method, tag_, portals):
        """Refuse a portal that is taken: it may crash the target.

        v26.05, portal_grp.c: iscsi_portal_grp_create() does not clear what
        iscsi_portal_grp_release() reads if a portal cannot be made
        (SIGSEGV, seen).
        """
        taken = {(one.host, one.port): group.tag
                 for group in self.iscsi_get_portal_groups()
                 for one in group.portals}
        for one in portals:
            place = one['host'], one['port']
            if place in taken:
                raise base.taken(
                    method, {'tag': tag_},
                    f'portal {":".join(place)} is in portal group '
                    f'{taken[place]}; not sent, since it would crash the '
                    'target')
            if portals.count(one) > 1:
                validate.refuse('portals', ':'.join(place),
                                'it is there twice')

    def iscsi_start_portal_group(self, tag_):
        """Let a group listen that was created with ``wait`` (v21.01).

        :param tag_: number of the group.
        :returns: True.
        :raises NotFound: there is none.
        """
        return self._on_group('iscsi_start_portal_group', 'portal', tag_)

    def iscsi_delete_portal_group(self, tag_, *, missing_ok=False):
        """Delete a portal group. Target nodes that use it lose it.

        :param tag_: number of the group.
        :param missing_ok: do not mind if there is none.
        :returns: True; False if it was not there.
        :raises NotFound: it was not there and ``missing_ok`` is not set.
        """
        return self._delete_group('iscsi_delete_portal_group', 'portal',
                                  tag_, missing_ok)

    def iscsi_portal_group_set_auth(self, tag_, **chap):
        """Set CHAP for discovery in a portal group (v19.10).

        :param tag_: number of the group.
        :param chap: disable_chap, require_chap, mutual_chap, chap_group.
        :returns: True.
        :raises NotFound: there is none.
        """
        return self._on_group('iscsi_portal_group_set_auth', 'portal', tag_,
                              **iscsi_values.check_chap(chap))

    # Initiator groups

    def iscsi_get_initiator_groups(self):
        """The initiator groups.

        :returns: list of
            :class:`~cyborg_spdk.clients.types.InitiatorGroup`.
        """
        return types.InitiatorGroup.parse_list(
            self._call('iscsi_get_initiator_groups'))

    def iscsi_create_initiator_group(self, tag_, initiators, netmasks, *,
                                     exist_ok=False):
        """Say which initiators may log in.

        :param tag_: number of the group.
        :param initiators: names, as
            :func:`cyborg_spdk.clients.iscsi.values.initiator` takes them.
        :param netmasks: where they may come from, as
            :func:`cyborg_spdk.clients.iscsi.values.netmask` takes it.
        :param exist_ok: do not mind if it exists with the same.
        :returns: the number.
        :raises AlreadyExists: there is a group of that number.
        """
        iscsi_values.tag(tag_)
        names = [iscsi_values.initiator(one) for one in initiators]
        masks = [iscsi_values.netmask(one) for one in netmasks]
        for what, value in (('initiators', names), ('netmasks', masks)):
            if not value:
                validate.refuse(what, value, 'give one at least, or ANY')
            if len(value) > validate.ISCSI_INITIATORS:
                validate.refuse(what, len(value), 'give '
                                f'{validate.ISCSI_INITIATORS} at most')
            # lib/iscsi/init_grp.c: the second one is EEXIST.
            for one in value:
                if value.count(one) > 1:
                    validate.refuse(what, one, 'it is there twice')
        self._create(
            'iscsi_create_initiator_group', f'initiator group {tag_}',
            lambda: self._find('initiator', tag_),
            {'initiators': (sorted(names),
                            lambda one: sorted(one.initiators)),
             'netmasks': (sorted(masks), lambda one: sorted(one.netmasks))},
            exist_ok, tag=tag_, initiators=names, netmasks=masks)
        return tag_

    def iscsi_initiator_group_add_initiators(self, tag_, initiators=(),
                                             netmasks=()):
        """Let more initiators in.

        :param tag_: number of the group.
        :param initiators: names.
        :param netmasks: where from.
        :returns: True.
        :raises NotFound: there is no such group.
        :raises AlreadyExists: one of them is in it already.
        """
        return self._change_initiators('iscsi_initiator_group_add_initiators',
                                       tag_, initiators, netmasks, False)

    def iscsi_initiator_group_remove_initiators(self, tag_, initiators=(),
                                                netmasks=()):
        """Let initiators in no more.

        :param tag_: number of the group.
        :param initiators: names.
        :param netmasks: where from.
        :returns: True.
        :raises NotFound: there is no such group, or one is not in it.
        """
        return self._change_initiators(
            'iscsi_initiator_group_remove_initiators', tag_, initiators,
            netmasks, True)

    def _change_initiators(self, method, tag_, initiators, netmasks, wanted):
        names = [iscsi_values.initiator(one) for one in initiators]
        masks = [iscsi_values.netmask(one) for one in netmasks]
        if not names and not masks:
            validate.refuse('initiators', initiators, 'give an initiator or '
                            'a netmask')

        def cause(_exc):
            group = self._find('initiator', tag_)
            if group is None:
                return exceptions.NotFound, \
                    f'initiator group {tag_} does not exist'
            for one in names + masks:
                there = one in group.initiators + group.netmasks
                if there and not wanted:
                    return exceptions.AlreadyExists, \
                        f'{one} is in initiator group {tag_} already'
                if wanted and not there:
                    return exceptions.NotFound, \
                        f'{one} is not in initiator group {tag_}'
            return None

        return self._call(method, tag=iscsi_values.tag(tag_),
                          initiators=names or None, netmasks=masks or None,
                          _about=f'initiator group {tag_}', _cause=cause)

    def iscsi_delete_initiator_group(self, tag_, *, missing_ok=False):
        """Delete an initiator group. Target nodes that use it lose it.

        :param tag_: number of the group.
        :param missing_ok: do not mind if there is none.
        :returns: True; False if it was not there.
        :raises NotFound: it was not there and ``missing_ok`` is not set.
        """
        return self._delete_group('iscsi_delete_initiator_group',
                                  'initiator', tag_, missing_ok)

    # Groups of CHAP secrets

    def iscsi_get_auth_groups(self):
        """The groups of CHAP secrets, without the secrets (v18.10).

        :returns: list of :class:`~cyborg_spdk.clients.types.AuthGroup`.
        """
        return types.AuthGroup.parse_list(
            self._call('iscsi_get_auth_groups'))

    def iscsi_create_auth_group(self, tag_, secrets=(), *, exist_ok=False):
        """Create a group of CHAP secrets (v18.10).

        :param tag_: number of the group, from 1 on: 0 means no group.
        :param secrets: list of dict: ``user``, ``secret`` and for the
            other direction ``muser``, ``msecret``.
        :param exist_ok: do not mind if it exists with these users. Their
            secrets are not compared.
        :returns: the number.
        :raises AlreadyExists: there is a group of that number.
        """
        validate.integer('tag', tag_, 1, iscsi_values.TAG_MAX)
        secrets = [iscsi_values.secret_of(**one) for one in secrets]
        users = sorted(one['user'] for one in secrets)
        for one in users:
            if users.count(one) > 1:
                validate.refuse('user', one, 'it is there twice')
        self._create(
            'iscsi_create_auth_group', f'auth group {tag_}',
            lambda: self._find('auth', tag_),
            {'users': (users, lambda one: sorted(one.users))}, exist_ok,
            tag=tag_, secrets=secrets or None)
        return tag_

    def iscsi_auth_group_add_secret(self, tag_, user, secret, *, muser=None,
                                    msecret=None):
        """Add a secret to a group (v18.10).

        :param tag_: number of the group.
        :param user: whose it is.
        :param secret: never logged nor repeated in an error.
        :param muser: user for the other direction.
        :param msecret: its secret.
        :returns: True.
        :raises NotFound: there is no such group.
        :raises AlreadyExists: the user has a secret there.
        """
        def cause(_exc):
            group = self._find('auth', tag_)
            if group is None:
                return exceptions.NotFound, \
                    f'auth group {tag_} does not exist'
            if user in group.users:
                return exceptions.AlreadyExists, \
                    f'auth group {tag_} has a secret of {user!r} already'
            return None

        return self._call(
            'iscsi_auth_group_add_secret', tag=iscsi_values.tag(tag_),
            _about=f'secret of {user!r} in auth group {tag_}', _cause=cause,
            **iscsi_values.secret_of(user, secret, muser, msecret))

    def iscsi_auth_group_remove_secret(self, tag_, user, *,
                                       missing_ok=False):
        """Remove a secret from a group (v18.10).

        :param tag_: number of the group.
        :param user: whose it is.
        :param missing_ok: do not mind if there is none; the group itself
            must exist.
        :returns: True; False if it was not there.
        :raises NotFound: no such group, or no secret of that user in it.
        """
        def missing():
            group = self._find('auth', tag_)
            return group is not None and user not in group.users

        def cause(_exc):
            return exceptions.NotFound, f'auth group {tag_} does not exist'

        return self._delete(
            'iscsi_auth_group_remove_secret',
            f'secret of {user!r} in auth group {tag_}', missing, missing_ok,
            cause, tag=iscsi_values.tag(tag_), user=user)

    def iscsi_delete_auth_group(self, tag_, *, missing_ok=False):
        """Delete a group of CHAP secrets (v18.10).

        :param tag_: number of the group.
        :param missing_ok: do not mind if there is none.
        :returns: True; False if it was not there.
        :raises NotFound: it was not there and ``missing_ok`` is not set.
        """
        return self._delete_group('iscsi_delete_auth_group', 'auth', tag_,
                                  missing_ok)

    def _find(self, kind, tag_):
        """The group of that kind and number, or None."""
        read = {'portal': self.iscsi_get_portal_groups,
                'initiator': self.iscsi_get_initiator_groups,
                'auth': self.iscsi_get_auth_groups}[kind]
        return next((one for one in read() if one.tag == tag_), None)

    def _on_group(self, method, kind, tag_, /, **params):
        def cause(_exc):
            if self._find(kind, tag_) is None:
                return exceptions.NotFound, \
                    f'{kind} group {tag_} does not exist'
            return None

        return self._call(method, tag=iscsi_values.tag(tag_), **params,
                          _about=f'{kind} group {tag_}', _cause=cause)

    def _delete_group(self, method, kind, tag_, missing_ok):
        return self._delete(method, f'{kind} group {tag_}',
                            lambda: self._find(kind, tag_) is None,
                            missing_ok, tag=iscsi_values.tag(tag_))
