# SPDX-License-Identifier: Apache-2.0

"""iSCSI: groups, target nodes and connections."""

import dataclasses

from cyborg_spdk.clients.types import reported


@dataclasses.dataclass(frozen=True)
class Portal(reported.Reported):
    """An address that the target listens on for iSCSI.

    :ivar host: IP address; IPv6 in brackets.
    :ivar port: port, as a string.
    """

    host: str = reported.text('')
    port: str = reported.text('')


@dataclasses.dataclass(frozen=True)
class PortalGroup(reported.Reported):
    """A group of portals.

    :ivar tag: its number.
    :ivar portals: tuple of :class:`Portal`.
    :ivar private: whether discovery leaves it out (v20.10).
    """

    tag: int = reported.number(0)
    portals: tuple[Portal, ...] = reported.array(Portal.parse)
    private: bool = reported.flag()


@dataclasses.dataclass(frozen=True)
class InitiatorGroup(reported.Reported):
    """A group of initiators that may log in.

    :ivar tag: its number.
    :ivar initiators: names, ``ANY``, or with ``!`` before (tuple of str).
    :ivar netmasks: addresses, networks or ``ANY`` (tuple of str).
    """

    tag: int = reported.number(0)
    initiators: tuple[str, ...] = reported.array()
    netmasks: tuple[str, ...] = reported.array()


@dataclasses.dataclass(frozen=True)
class AuthGroup(reported.Reported):
    """A group of CHAP secrets; the secrets are kept out of here.

    :ivar tag: its number.
    :ivar users: names of the users (tuple of str).
    """

    tag: int = reported.number(0)
    users: tuple[str, ...] = ()

    @classmethod
    def parse(cls, raw: reported.Json) -> 'AuthGroup':
        """See :meth:`Reported.parse`; ``raw`` has the users only."""
        users = tuple(secret.get('user', '')
                      for secret in raw.get('secrets') or ()
                      if isinstance(secret, dict))
        return cls(tag=raw.get('tag', 0), users=users,
                   raw={'tag': raw.get('tag', 0), 'users': list(users)})


@dataclasses.dataclass(frozen=True)
class IscsiLun(reported.Reported):
    """A LUN of a target node.

    :ivar lun_id: its number.
    :ivar bdev_name: the bdev behind it.
    """

    lun_id: int = reported.number(0)
    bdev_name: str = reported.text('')

    @classmethod
    def parse(cls, raw: reported.Json) -> 'IscsiLun':
        """See :meth:`Reported.parse`; ``id`` is the old ``lun_id``."""
        lun = super().parse(raw)
        if 'lun_id' not in raw and isinstance(raw.get('id'), int):
            return dataclasses.replace(lun, lun_id=raw['id'])
        return lun


@dataclasses.dataclass(frozen=True)
class GroupMap(reported.Reported):
    """Which initiators may come in by which portals.

    :ivar pg_tag: number of the portal group.
    :ivar ig_tag: number of the initiator group.
    """

    pg_tag: int = reported.number(0)
    ig_tag: int = reported.number(0)


@dataclasses.dataclass(frozen=True)
class TargetNode(reported.Reported):
    """An iSCSI target node.

    :ivar name: its full name (IQN).
    :ivar alias_name: a second name, for people.
    :ivar pg_ig_maps: tuple of :class:`GroupMap`.
    :ivar luns: tuple of :class:`IscsiLun`.
    :ivar queue_depth: commands at once in a session.
    :ivar disable_chap: whether CHAP is off; until v18.01 the four had
        other names and are only in ``raw``.
    :ivar require_chap: whether it must be used.
    :ivar mutual_chap: whether both sides prove who they are.
    :ivar chap_group: number of the :class:`AuthGroup`, or 0.
    :ivar header_digest: whether headers have a checksum.
    :ivar data_digest: whether data has one.
    """

    name: str = reported.text('')
    alias_name: str = reported.text('')
    pg_ig_maps: tuple[GroupMap, ...] = reported.array(GroupMap.parse)
    luns: tuple[IscsiLun, ...] = reported.array(IscsiLun.parse)
    queue_depth: int = reported.number(0)
    disable_chap: bool = reported.flag()
    require_chap: bool = reported.flag()
    mutual_chap: bool = reported.flag()
    chap_group: int = reported.number(0)
    header_digest: bool = reported.flag()
    data_digest: bool = reported.flag()

    def lun(self, lun_id: int) -> IscsiLun | None:
        """Its :class:`IscsiLun` of that number, or None."""
        return next((lun for lun in self.luns if lun.lun_id == lun_id), None)


@dataclasses.dataclass(frozen=True)
class IscsiConnection(reported.Reported):
    """A connection of an initiator.

    :ivar id: its number.
    :ivar cid: its number within the session.
    :ivar tsih: number of the session.
    :ivar state: ``running``, ... (v20.10).
    :ivar login_phase: how far it is logged in (v20.10).
    :ivar initiator_addr: where it comes from.
    :ivar target_addr: where it came in.
    :ivar target_node_name: name of the target node; empty in a discovery
        session. SPDK gives it without the node base.
    """

    id: int = reported.number(0)
    cid: int = reported.number(0)
    tsih: int = reported.number(0)
    state: str = reported.text('')
    login_phase: str = reported.text('')
    initiator_addr: str = reported.text('')
    target_addr: str = reported.text('')
    target_node_name: str = reported.text('')
