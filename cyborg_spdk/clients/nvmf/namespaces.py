# SPDX-License-Identifier: Apache-2.0

"""Namespaces of NVM subsystems."""

from cyborg_spdk.clients.nvmf import diagnosis
from cyborg_spdk.clients import validate
from cyborg_spdk import exceptions


#: What else an object "namespace" may hold (lib/nvmf, nvmf_rpc.c); which
#: release has it stands in rpc/protocol/parameters.json.
NAMESPACE_OPTIONS = ('anagrpid', 'hide_metadata', 'no_auto_visible',
                     'ptpl_file')


class Namespaces:
    """Mixed into :class:`~cyborg_spdk.clients.nvmf.client.NvmfTgt`."""

    def nvmf_subsystem_add_ns(self, nqn, bdev_name, *, nsid=None, nguid=None,
                              eui64=None, uuid=None, exist_ok=False,
                              **options):
        """Give a subsystem a namespace.

        :param nqn: the subsystem.
        :param bdev_name: the bdev behind it; it is claimed.
        :param nsid: its number from 1 on; None takes the first free one.
        :param nguid: 32 hexadecimal digits.
        :param eui64: 16 hexadecimal digits.
        :param uuid: UUID; None means that of the bdev.
        :param exist_ok: do not mind if the bdev is a namespace of this
            subsystem already, with that number if one is given.
        :param options: others that the release has: anagrpid,
            no_auto_visible, ptpl_file, hide_metadata (until v26.05).
        :returns: the NSID.
        :raises NotFound: no such subsystem or bdev.
        :raises AlreadyExists: the NSID is taken.
        :raises PermissionDenied: the bdev is in use.
        :raises NoSpace: all NSIDs are taken.
        """
        validate.text('NQN', nqn, validate.NQN_MAX)
        validate.text('bdev', bdev_name)
        if nsid is not None:
            validate.integer('nsid', nsid, 1, 2 ** 32 - 2)
        if nguid is not None:
            nguid = validate.hexadecimal('nguid', nguid, 32)
        if eui64 is not None:
            eui64 = validate.hexadecimal('eui64', eui64, 16)
        if uuid is not None:
            uuid = validate.uuid('uuid', uuid)
        self._check_options(options)
        method = 'nvmf_subsystem_add_ns'
        if nqn == validate.DISCOVERY_NQN:
            # v19.07 takes it.
            raise exceptions.InvalidParams(
                -32602, 'Invalid parameters', method, {'nqn': nqn},
                f'{nqn} is a discovery subsystem: it has no namespaces; '
                'not sent')
        if exist_ok:
            there = self._namespace_of(nqn, bdev_name)
            if there is not None and nsid in (None, there.nsid):
                return there.nsid
        namespace = dict(options, bdev_name=bdev_name, nsid=nsid,
                         nguid=nguid, eui64=eui64, uuid=uuid)
        return self._call(
            method, nqn=nqn,
            namespace={name: value for name, value in namespace.items()
                       if value is not None},
            _about=f'bdev {bdev_name!r} as namespace of {nqn}',
            _cause=lambda _exc: diagnosis.namespace(
                self, nqn, bdev_name, nsid, options))

    @staticmethod
    def _check_options(options):
        for name in options:
            if name not in NAMESPACE_OPTIONS:
                validate.refuse('namespace option', name,
                                'use one of ' + ', '.join(NAMESPACE_OPTIONS))

    def _namespace_of(self, nqn, bdev_name):
        """The namespace of a subsystem that a bdev is, or None."""
        subsystem = self.find_subsystem(nqn)
        bdev = self.find_bdev(bdev_name)
        if subsystem is None or bdev is None:
            return None
        return next((one for one in subsystem.namespaces
                     if bdev.known_as(one.bdev_name)), None)

    def nvmf_subsystem_remove_ns(self, nqn, nsid, *, missing_ok=False):
        """Take a namespace from a subsystem; its bdev stays.

        :param nqn: the subsystem.
        :param nsid: number of the namespace.
        :param missing_ok: do not mind if there is none; the subsystem
            itself must exist.
        :returns: True; False if it was not there.
        :raises NotFound: no such subsystem or namespace.
        """
        validate.text('NQN', nqn, validate.NQN_MAX)
        validate.integer('nsid', nsid, 1, 2 ** 32 - 2)
        return self._delete(
            'nvmf_subsystem_remove_ns', f'namespace {nsid} of {nqn}',
            lambda: self.nvmf_get_subsystems(nqn)[0].namespace(nsid) is None,
            missing_ok,
            lambda _exc: diagnosis.no_namespace(self, nqn, nsid),
            nqn=nqn, nsid=nsid)

    def nvmf_subsystem_set_ns_ana_group(self, nqn, nsid, anagrpid):
        """Put a namespace into an ANA group (v24.09).

        :param nqn: the subsystem.
        :param nsid: number of the namespace.
        :param anagrpid: number of the group, at most max_namespaces.
        :returns: True.
        :raises NotFound: no such subsystem or namespace.
        """
        validate.integer('anagrpid', anagrpid, 1, 2 ** 32 - 1)
        return self._on_namespace('nvmf_subsystem_set_ns_ana_group', nqn,
                                  nsid, anagrpid=anagrpid)

    def nvmf_ns_add_host(self, nqn, nsid, host):
        """Make a namespace visible to a host (v24.05).

        :param nqn: the subsystem.
        :param nsid: number of a namespace that was added with
            ``no_auto_visible``.
        :param host: NQN of the host.
        :returns: True.
        :raises NotFound: no such subsystem or namespace.
        :raises InvalidParams: the namespace is visible to all.
        """
        return self._on_namespace('nvmf_ns_add_host', nqn, nsid,
                                  host=validate.nqn(host, 'host NQN'))

    def nvmf_ns_remove_host(self, nqn, nsid, host):
        """Hide a namespace from a host again (v24.05).

        :param nqn: the subsystem.
        :param nsid: number of the namespace.
        :param host: NQN of the host.
        :returns: True.
        :raises NotFound: no such subsystem or namespace.
        """
        return self._on_namespace('nvmf_ns_remove_host', nqn, nsid,
                                  host=validate.nqn(host, 'host NQN'))

    def _on_namespace(self, method, nqn, nsid, /, **params):
        validate.text('NQN', nqn, validate.NQN_MAX)
        validate.integer('nsid', nsid, 1, 2 ** 32 - 2)

        def cause(_exc):
            found = diagnosis.no_namespace(self, nqn, nsid)
            if found is None and 'anagrpid' in params:
                return exceptions.InvalidParams, f'namespace {nsid} of ' \
                    f'{nqn}: anagrpid {params["anagrpid"]} is over ' \
                    'max_namespaces, or the subsystem does not report ANA'
            if found is None and 'host' in params:
                return exceptions.InvalidParams, \
                    f'namespace {nsid} of {nqn}: it was not added with ' \
                    f'no_auto_visible, or host {params["host"]} is not ' \
                    'in the right state'
            return found

        return self._call(method, nqn=nqn, nsid=nsid, **params,
                          _about=f'namespace {nsid} of {nqn}', _cause=cause)
