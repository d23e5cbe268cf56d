# SPDX-License-Identifier: Apache-2.0

"""``construct_nvmf_subsystem``: a whole subsystem, all or nothing.

SPDK had one call for it until v18.10; today it is one RPC for the
subsystem and one for each namespace, host and listener.
"""

import logging

from cyborg_spdk.clients import addresses as clients_addresses
from cyborg_spdk.clients import base
from cyborg_spdk.clients.nvmf import properties as nvmf_properties
from cyborg_spdk.clients import validate
from cyborg_spdk import exceptions

LOG = logging.getLogger(__name__)

# After these there is no subsystem of ours: it was refused, here or by the
# target, or there was one already.
_NOT_DONE = (exceptions.InvalidValue, exceptions.RpcError)


def words(value, name, separator=None):
    """A list of strings, or one string with separators, as a list."""
    if value is None:
        return []
    if isinstance(value, str):
        return [one.strip() for one in value.split(separator) if one.strip()]
    if isinstance(value, (list, tuple)):
        return list(value)
    validate.refuse(name, value, 'give a list, or a string')


def namespace(value):
    """One namespace: bdev name, or dict with ``bdev_name`` and others.

    :returns: dict of keyword arguments for ``nvmf_subsystem_add_ns``.
    """
    if isinstance(value, str):
        name, colon, nsid = value.rpartition(':')
        if colon and nsid.isdigit() and name:
            return {'bdev_name': name, 'nsid': int(nsid)}
        return {'bdev_name': validate.text('bdev', value)}
    if not isinstance(value, dict) or 'bdev_name' not in value:
        validate.refuse('namespace', value, 'give the name of a bdev, or a '
                        'dict with "bdev_name"')
    return dict(value)


class ConstructSubsystem:
    """Mixed into :class:`~cyborg_spdk.clients.nvmf.client.NvmfTgt`."""

    def construct_nvmf_subsystem(self, nqn, listen, hosts, serial_number,
                                 namespaces, *, allow_any_host=None,
                                 **options):
        """Create a subsystem with all that belongs to it, or nothing.

        Whatever step fails, the target is as before: what was done is
        undone. Up to v18.07 it is the one call that SPDK had. From v19.01
        on the transports must have been created: they cannot be undone,
        so they are not made here.

        :param nqn: name of the subsystem.
        :param listen: addresses: a list of what
            :func:`cyborg_spdk.clients.addresses.parse` takes, or one
            string with commas, as py-spdk had it:
            ``"trtype:TCP traddr:127.0.0.1 trsvcid:4420,..."``.
        :param hosts: NQNs of hosts: a list, or a string with blanks. None
            at all allows no host, unless ``allow_any_host``.
        :param serial_number: at most 20 printable characters, or None.
        :param namespaces: bdevs: a list, or a string with blanks; each
            ``bdev`` or ``bdev:nsid``, in a list also a dict of the
            arguments of ``nvmf_subsystem_add_ns``.
        :param allow_any_host: let any host connect.
        :param options: others of ``nvmf_create_subsystem``.
        :returns: the NQN.
        :raises AlreadyExists: there is a subsystem of that name.
        :raises SpdkError: that of the step that failed.
        """
        addresses = [clients_addresses.parse(one)
                     for one in words(listen, 'listen', ',')]
        hosts = [validate.nqn(one, 'host NQN')
                 for one in words(hosts, 'hosts')]
        spaces = [namespace(one) for one in words(namespaces, 'namespaces')]
        if self.find_subsystem(nqn) is not None:
            raise base.taken(
                'construct_nvmf_subsystem', {'nqn': nqn},
                f'subsystem {nqn} exists already')
        if self._constructs():
            self._construct_whole(nqn, addresses, hosts, spaces, {
                'serial_number': serial_number,
                'allow_any_host': bool(allow_any_host), **options})
            return nqn
        self._transports_for(addresses)
        created = False
        try:
            self.nvmf_create_subsystem(nqn, serial_number=serial_number,
                                       allow_any_host=bool(allow_any_host),
                                       **options)
            created = True
            for one in spaces:
                self.nvmf_subsystem_add_ns(nqn, **one)
            for one in dict.fromkeys(hosts):
                self.nvmf_subsystem_add_host(nqn, one)
            # Last, so that no host sees a subsystem that is half made.
            for one in addresses:
                self.nvmf_subsystem_add_listener(nqn, one)
        except BaseException as exc:
            # One that somebody else made since we looked is not ours. But
            # a create whose reply was lost may have been done.
            if created or not isinstance(exc, _NOT_DONE):
                self._undo(nqn)
            raise
        return nqn

    def _construct_whole(self, nqn, addresses, hosts, spaces, properties):
        """One call for all (until v18.07).

        It may leave the subsystem behind when it fails, where the transport
        is one that this SPDK has not (lib/event/subsystems/nvmf/nvmf_rpc.c,
        v18.04 and v18.07). There was none of that name just before.
        """
        wanted = nvmf_properties.checked(nqn, **properties)
        properties = {**properties, **wanted,
                      'serial_number': wanted['serial_number']
                      or nvmf_properties.SERIAL_NUMBER}

        def cause(exc):
            for one in spaces:
                found = self._claimed(one['bdev_name'])
                if found:
                    return found
            if any(one.trtype == 'TCP' for one in addresses):
                return type(exc), f'subsystem {nqn}: NVMe/TCP needs ' \
                    f'v19.01, the target is {self.rpc.version}'
            return type(exc), f'subsystem {nqn}: a transport that this ' \
                'target has not, a port in use, or an NSID twice'

        try:
            self._call('construct_nvmf_subsystem', nqn=nqn, **properties,
                       _cause=cause, hosts=hosts or None,
                       namespaces=spaces or None,
                       listen_addresses=[clients_addresses.params(one)
                                         for one in addresses])
        except BaseException:
            self._undo(nqn)
            raise

    def create_missing_transports(self, listen):
        """Create those transports that addresses need and that are missing.

        :param listen: list of what
            :func:`cyborg_spdk.clients.addresses.parse` takes.
        :returns: list of the types that were created.
        """
        if not self.rpc.has('nvmf_create_transport'):
            return []                    # until v18.07: made by SPDK itself
        wanted = {clients_addresses.parse(one).trtype for one in listen}
        have = {one.trtype for one in self.nvmf_get_transports()} \
            if wanted and self.rpc.has('nvmf_get_transports') else set()
        return [self.nvmf_create_transport(trtype, exist_ok=True)
                for trtype in sorted(wanted - have)]

    def _transports_for(self, addresses):
        if not self.rpc.has('nvmf_get_transports'):
            return                       # until v18.10: made by SPDK itself
        have = {one.trtype.upper() for one in self.nvmf_get_transports()}
        for trtype in sorted({one.trtype for one in addresses}):
            if trtype.upper() not in have:
                raise base.missing(
                    'construct_nvmf_subsystem',
                    {'trtype': trtype}, f'transport {trtype} was not '
                    'created: call nvmf_create_transport first')

    def _undo(self, nqn):
        try:
            self.nvmf_delete_subsystem(nqn, missing_ok=True)
        except exceptions.SpdkError as exc:
            LOG.error('%s: subsystem %s is left half made, since it could '
                      'not be deleted again: %s', self.rpc.address, nqn, exc)
