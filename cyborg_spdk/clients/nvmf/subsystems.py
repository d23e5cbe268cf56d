# SPDX-License-Identifier: Apache-2.0

"""NVM subsystems: themselves, their listeners and their hosts."""

from cyborg_spdk.clients import addresses
from cyborg_spdk.clients import base
from cyborg_spdk.clients.nvmf import diagnosis
from cyborg_spdk.clients.nvmf import namespaces
from cyborg_spdk.clients.nvmf import properties as nvmf_properties
from cyborg_spdk.clients import types
from cyborg_spdk.clients import validate
from cyborg_spdk import exceptions

#: schema.json, nvme_ana_state.
ANA_STATES = ('optimized', 'non_optimized', 'inaccessible')


class Subsystems(namespaces.Namespaces):
    """Mixed into :class:`~cyborg_spdk.clients.nvmf.client.NvmfTgt`."""

    def nvmf_get_subsystems(self, nqn=None):
        """The subsystems, the discovery subsystem among them.

        :param nqn: the only one wanted; None means all.
        :returns: list of :class:`~cyborg_spdk.clients.types.Subsystem`.
        :raises NotFound: there is none of that NQN.
        """
        params = {}
        if nqn is not None:
            validate.text('NQN', nqn, validate.NQN_MAX)
            if self.rpc.supports('nvmf_get_subsystems', 'nqn'):
                params['nqn'] = nqn

        def cause(_exc):
            # v26.09 answers "Invalid parameters" for an unknown NQN.
            if nqn not in [one.nqn for one in self.nvmf_get_subsystems()]:
                return exceptions.NotFound, f'subsystem {nqn} does not exist'
            return None

        found = types.Subsystem.parse_list(self._call(
            'nvmf_get_subsystems', _about=nqn and f'subsystem {nqn}',
            _cause=cause if nqn is not None else None, **params))
        if nqn is not None:
            found = [one for one in found if one.nqn == nqn]
            if not found:
                raise base.missing(
                    'nvmf_get_subsystems',
                    {'nqn': nqn}, f'subsystem {nqn} does not exist')
        return found

    def find_subsystem(self, nqn):
        """The subsystem of that NQN, or None."""
        try:
            return self.nvmf_get_subsystems(nqn)[0]
        except exceptions.NotFound:
            return None

    def nvmf_create_subsystem(self, nqn, *, serial_number=None,
                              model_number=None, max_namespaces=None,
                              allow_any_host=False, admin_label=None,
                              exist_ok=False, **options):
        """Create an NVM subsystem without listeners, hosts, namespaces.

        :param nqn: its name.
        :param serial_number: at most 20 printable ASCII characters.
        :param model_number: at most 40 (v19.04).
        :param max_namespaces: highest NSID; None means SPDK's 32.
        :param allow_any_host: let any host connect.
        :param admin_label: what the discovery log page says of it: 4 to
            256 printable ASCII characters (v26.09).
        :param exist_ok: do not mind if it exists with these properties.
        :param options: others that the release has: ana_reporting,
            min_cntlid, max_cntlid, passthrough, enable_nssr, ...
        :returns: the NQN.
        :raises AlreadyExists: it exists and ``exist_ok`` is not set, or
            has other properties.
        """
        wanted = nvmf_properties.checked(
            nqn, serial_number, model_number, max_namespaces, allow_any_host,
            admin_label, **options)
        given = [*(name for name, value in wanted.items()
                   if value is not None), *options]
        method = 'nvmf_create_subsystem'
        if self._constructs():
            method = 'construct_nvmf_subsystem'
            options['listen_addresses'] = []
            options['serial_number'] = serial_number or \
                nvmf_properties.SERIAL_NUMBER
        self._create(
            method, f'subsystem {nqn}', lambda: self.find_subsystem(nqn),
            {name: (value, lambda one, name=name: getattr(one, name))
             for name, value in wanted.items()}, exist_ok,
            lambda exc: (type(exc), f'subsystem {nqn}: the target has no '
                         'room for another one, or one of its properties '
                         f'does not suit: {", ".join(sorted(given))}'),
            nqn=nqn, **{**wanted, **options})
        return nqn

    def _constructs(self):
        """Whether subsystems are made by one call (until v18.07)."""
        return self.rpc.has('construct_nvmf_subsystem') and \
            not self.rpc.has('nvmf_create_subsystem')

    def nvmf_delete_subsystem(self, nqn, *, missing_ok=False):
        """Delete a subsystem; hosts that use it are disconnected.

        :param nqn: its name.
        :param missing_ok: do not mind if there is none.
        :returns: True; False if it was not there.
        :raises NotFound: it was not there and ``missing_ok`` is not set.
        """
        validate.text('NQN', nqn, validate.NQN_MAX)
        return self._delete(
            'nvmf_delete_subsystem', f'subsystem {nqn}',
            lambda: self.find_subsystem(nqn) is None, missing_ok, nqn=nqn)

    def _subsystem(self, nqn, method):
        """The subsystem of that NQN; NotFound in the name of ``method``."""
        found = self.find_subsystem(nqn)
        if found is None:
            raise base.missing(
                method, {'nqn': nqn},
                f'subsystem {nqn} does not exist')
        return found

    # Listeners

    def nvmf_subsystem_add_listener(self, nqn, listener, *, exist_ok=False,
                                    **options):
        """Let a subsystem listen somewhere.

        :param nqn: the subsystem; the discovery subsystem will do.
        :param listener: address as
            :func:`cyborg_spdk.clients.addresses.parse` takes it.
        :param exist_ok: do not mind if it listens there already.
        :param options: others that the release has: secure_channel,
            ana_state, sock_impl.
        :returns: the :class:`~cyborg_spdk.clients.types.ListenAddress`.
        :raises NotFound: no such subsystem, or the transport was not
            created.
        :raises AlreadyExists: it listens there already.
        :raises Busy: the port is in use by another process.
        """
        validate.text('NQN', nqn, validate.NQN_MAX)
        address = addresses.parse(listener)
        if options.get('ana_state') is not None:
            validate.choice('ana_state', options['ana_state'], ANA_STATES)
        # v24.01 and before answer "true" to a listener that exists.
        method = 'nvmf_subsystem_add_listener'
        there = any(one.place == address.place for one in
                    self._subsystem(nqn, method).listen_addresses)
        if there and exist_ok:
            return address
        if there:
            raise base.taken(
                method, {'nqn': nqn},
                f'{nqn} listens on {address} already')
        self._call(method, nqn=nqn, **options,
                   listen_address=addresses.params(address),
                   _about=f'listener {address} of {nqn}',
                   _cause=lambda _exc: diagnosis.listener(
                       self, nqn, address, options))
        return address

    def nvmf_subsystem_remove_listener(self, nqn, listener, *,
                                       missing_ok=False):
        """Stop a subsystem from listening somewhere.

        :param nqn: the subsystem.
        :param listener: address as
            :func:`cyborg_spdk.clients.addresses.parse` takes it.
        :param missing_ok: do not mind if it does not listen there; the
            subsystem itself must exist.
        :returns: True; False if it did not listen there.
        :raises NotFound: no such subsystem, or no such listener.
        """
        validate.text('NQN', nqn, validate.NQN_MAX)
        address = addresses.parse(listener)
        return self._delete(
            'nvmf_subsystem_remove_listener',
            f'listener {address} of {nqn}',
            lambda: all(one.place != address.place for one in
                        self.nvmf_get_subsystems(nqn)[0].listen_addresses),
            missing_ok,
            lambda _exc: diagnosis.no_listener(self, nqn, address),
            nqn=nqn, listen_address=addresses.params(address))

    def nvmf_subsystem_get_listeners(self, nqn):
        """The listeners of a subsystem with their ANA states (v20.10).

        :param nqn: the subsystem.
        :returns: list of :class:`~cyborg_spdk.clients.types.Listener`.
        :raises NotFound: no such subsystem.
        """
        return types.Listener.parse_list(
            self._read_of('nvmf_subsystem_get_listeners', nqn))

    def nvmf_subsystem_listener_set_ana_state(self, nqn, listener, ana_state,
                                              *, anagrpid=None):
        """Set the ANA state of a listener (v20.10).

        :param nqn: the subsystem; it must have been created with
            ``ana_reporting``.
        :param listener: address as
            :func:`cyborg_spdk.clients.addresses.parse` takes it.
        :param ana_state: one of :data:`ANA_STATES`.
        :param anagrpid: ANA group (v22.09); None means all.
        :returns: True.
        :raises NotFound: no such subsystem or listener.
        """
        validate.text('NQN', nqn, validate.NQN_MAX)
        address = addresses.parse(listener)
        ana_state = validate.choice('ana_state', ana_state, ANA_STATES)
        if anagrpid is not None:
            validate.integer('anagrpid', anagrpid, 1, 2 ** 32 - 1)

        def cause(_exc):
            return diagnosis.no_listener(self, nqn, address) or (
                exceptions.InvalidParams,
                f'listener {address} of {nqn}: the subsystem '
                'does not report ANA (ana_reporting), or has no such group')

        return self._call('nvmf_subsystem_listener_set_ana_state', nqn=nqn,
                          listen_address=addresses.params(address),
                          ana_state=ana_state, anagrpid=anagrpid,
                          _about=f'listener {address} of {nqn}',
                          _cause=cause)

    # Hosts

    def nvmf_subsystem_add_host(self, nqn, host, *, exist_ok=False,
                                **options):
        """Allow a host to use a subsystem.

        :param nqn: the subsystem.
        :param host: NQN of the host.
        :param exist_ok: do not mind if it is allowed already.
        :param options: others that the release has: psk, dhchap_key,
            dhchap_ctrlr_key (names of keys of the keyring, v24.05).
        :returns: the host's NQN.
        :raises NotFound: no such subsystem.
        :raises AlreadyExists: the host is allowed already.
        """
        validate.text('NQN', nqn, validate.NQN_MAX)
        validate.nqn(host, 'host NQN')
        # v24.05 and before answer "true" to a host that is there.
        method = 'nvmf_subsystem_add_host'
        if host in self._subsystem(nqn, method).hosts:
            if exist_ok:
                return host
            raise base.taken(
                method, {'nqn': nqn, 'host': host},
                f'host {host} may use {nqn} already')
        self._call(method, nqn=nqn, host=host, **options,
                   _about=f'host {host} of {nqn}',
                   _cause=lambda _exc: diagnosis.host(
                       self, nqn, host, False, options))
        return host

    def nvmf_subsystem_remove_host(self, nqn, host, *, missing_ok=False):
        """Forbid a host to use a subsystem; it is disconnected (v20.10).

        :param nqn: the subsystem.
        :param host: NQN of the host.
        :param missing_ok: do not mind if it was not allowed; the
            subsystem itself must exist.
        :returns: True; False if it was not allowed.
        :raises NotFound: no such subsystem, or no such host in it.
        """
        validate.text('NQN', nqn, validate.NQN_MAX)
        validate.text('host NQN', host, validate.NQN_MAX)
        return self._delete(
            'nvmf_subsystem_remove_host', f'host {host} of {nqn}',
            lambda: host not in self.nvmf_get_subsystems(nqn)[0].hosts,
            missing_ok, lambda _exc: diagnosis.host(self, nqn, host, True),
            nqn=nqn, host=host)

    def nvmf_subsystem_allow_any_host(self, nqn, allow_any_host=True):
        """Let any host use a subsystem, or only those that were added.

        :param nqn: the subsystem.
        :param allow_any_host: True for any.
        :returns: True.
        :raises NotFound: no such subsystem.
        """
        validate.text('NQN', nqn, validate.NQN_MAX)
        return self._call(
            'nvmf_subsystem_allow_any_host', nqn=nqn,
            allow_any_host=bool(allow_any_host), _about=f'subsystem {nqn}',
            _cause=lambda _exc: diagnosis.no_subsystem(self, nqn))

    def nvmf_subsystem_set_keys(self, nqn, host, *, dhchap_key=None,
                                dhchap_ctrlr_key=None):
        """Set the DH-HMAC-CHAP keys of a host (v24.09).

        :param nqn: the subsystem.
        :param host: NQN of a host that was added to it.
        :param dhchap_key: name of a key in the keyring.
        :param dhchap_ctrlr_key: name of the key for the other direction.
        :returns: True.
        :raises NotFound: no such subsystem, host or key.
        """
        validate.text('NQN', nqn, validate.NQN_MAX)
        validate.text('host NQN', host, validate.NQN_MAX)
        return self._call(
            'nvmf_subsystem_set_keys', nqn=nqn, host=host,
            dhchap_key=dhchap_key, dhchap_ctrlr_key=dhchap_ctrlr_key,
            _about=f'keys of host {host} of {nqn}',
            _cause=lambda _exc: diagnosis.host(
                self, nqn, host, True, {
                    'dhchap_key': dhchap_key,
                    'dhchap_ctrlr_key': dhchap_ctrlr_key}))

    # Who is connected

    def nvmf_subsystem_get_controllers(self, nqn):
        """The controllers of a subsystem: the hosts connected (v20.10).

        :param nqn: the subsystem.
        :returns: list of :class:`~cyborg_spdk.clients.types.Controller`.
        :raises NotFound: no such subsystem.
        """
        return types.Controller.parse_list(
            self._read_of('nvmf_subsystem_get_controllers', nqn))

    def nvmf_subsystem_get_qpairs(self, nqn):
        """The queue pairs of a subsystem (v20.10).

        :param nqn: the subsystem.
        :returns: list of :class:`~cyborg_spdk.clients.types.QueuePair`.
        :raises NotFound: no such subsystem.
        """
        return types.QueuePair.parse_list(
            self._read_of('nvmf_subsystem_get_qpairs', nqn))

    def _read_of(self, method, nqn):
        validate.text('NQN', nqn, validate.NQN_MAX)
        return self._call(
            method, nqn=nqn, _about=f'subsystem {nqn}',
            _cause=lambda _exc: diagnosis.no_subsystem(self, nqn))
