# SPDX-License-Identifier: Apache-2.0

"""NVMe over Fabrics: transports, statistics, and the client as a whole."""

from cyborg_spdk.clients import addresses
from cyborg_spdk.clients import base
from cyborg_spdk.clients.bdev import client as bdev_client
from cyborg_spdk.clients.nvmf import construct as nvmf_construct
from cyborg_spdk.clients.nvmf import subsystems
from cyborg_spdk.clients.nvmf import targets as nvmf_targets
from cyborg_spdk.clients import pyspdk
from cyborg_spdk.clients import types
from cyborg_spdk.clients import validate
from cyborg_spdk import exceptions


class NvmfTgt(nvmf_construct.ConstructSubsystem,
              subsystems.Subsystems, nvmf_targets.Targets,
              pyspdk.HistoricNvmf, bdev_client.BdevClient):
    """Client for ``nvmf_tgt``, or any SPDK application that has NVMe-oF."""

    def __init__(self, client, *, timeout=None, tgt_name=None):
        """Use a connection.

        :param client: what :func:`cyborg_spdk.rpc.connect` returned.
        :param timeout: seconds of wall-clock time for each call; None is
            the connection's own default.
        :param tgt_name: name of the NVMe-oF target that it is for, where
            the application has more than one (v19.10).
        """
        super().__init__(client, timeout=timeout)
        if tgt_name is not None:
            self.tgt_name = self.for_target(tgt_name).tgt_name

    def nvmf_get_transports(self, trtype=None):
        """The transports that were created.

        :param trtype: the only one wanted; None means all.
        :returns: list of :class:`~cyborg_spdk.clients.types.Transport`.
        :raises NotFound: that one was not created.
        :raises MethodNotFound: before v19.01.
        """
        found = types.Transport.parse_list(self._call('nvmf_get_transports'))
        if trtype is None:
            return found
        trtype = validate.choice('trtype', trtype, addresses.TRTYPES)
        found = [one for one in found
                 if one.trtype.upper() == trtype.upper()]
        if not found:
            raise base.missing(
                'nvmf_get_transports',
                {'trtype': trtype}, f'transport {trtype} was not created')
        return found

    def nvmf_create_transport(self, trtype, *, exist_ok=False, **options):
        """Create a transport: v19.01 and later need one to listen.

        :param trtype: ``TCP``, ``RDMA``, ``VFIOUSER``, ...
        :param exist_ok: do not mind if it exists with these options.
        :param options: those that the release has: max_queue_depth,
            max_io_qpairs_per_ctrlr, in_capsule_data_size, max_io_size,
            io_unit_size, max_aq_depth, ...
        :returns: the transport's type.
        :raises AlreadyExists: it exists and ``exist_ok`` is not set, or
            has other options.
        :raises InvalidParams: this build does not have that transport.
        """
        trtype = validate.choice('trtype', trtype, addresses.TRTYPES)

        def reader(option):
            return lambda one: one.raw.get(option, options[option])

        def cause(exc):
            if 'already exists' in exc.message:
                return exceptions.AlreadyExists, \
                    f'transport {trtype} exists already'
            return exceptions.InvalidParams, f'transport {trtype}: not ' \
                'built into this target, not so much memory for its ' \
                'buffers, or an option is out of range'

        try:
            self._create(
                'nvmf_create_transport', f'transport {trtype}',
                lambda: self._transport(trtype),
                {one: (options[one], reader(one)) for one in options},
                exist_ok, cause, trtype=trtype, **options)
        except exceptions.AlreadyExists:
            # v18.10 cannot tell which options it has.
            if not exist_ok or self.rpc.has('nvmf_get_transports'):
                raise
        return trtype

    def _transport(self, trtype):
        """The transport of that type, or None."""
        return next((one for one in self.nvmf_get_transports()
                     if one.trtype.upper() == trtype.upper()), None)

    def nvmf_get_stats(self):
        """Statistics of the NVMe-oF target (v19.07).

        :returns: dict of ``tick_rate`` and ``poll_groups``.
        """
        return self._call('nvmf_get_stats')

    # Referrals

    def nvmf_discovery_get_referrals(self):
        """Discovery services that hosts are sent to (v24.01).

        :returns: list of :class:`~cyborg_spdk.clients.types.Referral`.
        """
        return types.Referral.parse_list(
            self._call('nvmf_discovery_get_referrals'))

    def _find_referral(self, address, subnqn):
        return next((one for one in self.nvmf_discovery_get_referrals()
                     if one.address.place == address.place
                     and subnqn in (None, one.subnqn)), None)

    def nvmf_discovery_add_referral(self, address, *, subnqn=None,
                                    exist_ok=False, **options):
        """Send hosts to another discovery service, too (v24.01).

        :param address: as
            :func:`cyborg_spdk.clients.addresses.parse` takes it; give
            the port, 8009 mostly.
        :param subnqn: NQN of its discovery subsystem; None is the
            well-known one.
        :param exist_ok: do not mind if it is there already.
        :param options: others that the release has: secure_channel.
        :returns: the :class:`~cyborg_spdk.clients.types.ListenAddress`.
        :raises AlreadyExists: it is there and ``exist_ok`` is not set.
        """
        address = addresses.parse(address, 'referral')
        if subnqn is not None:
            validate.nqn(subnqn, 'subnqn')
        # SPDK answers "true" to one that it has (nvmf.c,
        # spdk_nvmf_tgt_add_referral).
        if self._find_referral(address, subnqn) is not None:
            if exist_ok:
                return address
            raise base.taken(
                'nvmf_discovery_add_referral', None,
                f'referral to {address} exists already')
        self._call('nvmf_discovery_add_referral', subnqn=subnqn,
                   address=addresses.params(address),
                   _about=f'referral to {address}', **options)
        return address

    def nvmf_discovery_remove_referral(self, address, *, subnqn=None,
                                       missing_ok=False):
        """Send hosts there no more (v24.01).

        :param address: as
            :func:`cyborg_spdk.clients.addresses.parse` takes it.
        :param subnqn: NQN of its discovery subsystem, as it was added.
        :param missing_ok: do not mind if there is none.
        :returns: True; False if it was not there.
        :raises NotFound: it was not there and ``missing_ok`` is not set.
        """
        address = addresses.parse(address, 'referral')
        return self._delete(
            'nvmf_discovery_remove_referral', f'referral to {address}',
            lambda: self._find_referral(address, subnqn) is None, missing_ok,
            subnqn=subnqn, address=addresses.params(address))
