# SPDX-License-Identifier: Apache-2.0

"""Index of what can be done with an NVMe-oF target."""

from cyborg_spdk.clients import bdev_client
from cyborg_spdk.clients.nvmf import construct
from cyborg_spdk.clients.nvmf import hosts
from cyborg_spdk.clients.nvmf import listeners
from cyborg_spdk.clients.nvmf import mdns
from cyborg_spdk.clients.nvmf import namespaces
from cyborg_spdk.clients.nvmf import referrals
from cyborg_spdk.clients.nvmf import subsystems
from cyborg_spdk.clients.nvmf import targets
from cyborg_spdk.clients.nvmf import transports
from cyborg_spdk.clients import pyspdk
from cyborg_spdk.clients import validate
from cyborg_spdk.rpc import client as rpc_client


class NvmfTgt(bdev_client.BdevClient):
    """Client for ``nvmf_tgt``, or any SPDK application that has NVMe-oF.

    Each line binds an operation's name to the function of a client that
    does it, in the module of the SPDK object that it is about.

    :ivar tgt_name: the NVMe-oF target that all its calls are about; None
        means the only one that the application has.
    """

    tgt_name: str | None = None

    def __init__(self, client: rpc_client.Client, *,
                 timeout: float | None = None,
                 tgt_name: str | None = None) -> None:
        """Use a connection.

        :param client: what :func:`cyborg_spdk.rpc.connect` returned.
        :param timeout: seconds of wall-clock time for each call; None is
            the connection's own default.
        :param tgt_name: name of the NVMe-oF target that it is for, where
            the application has more than one (v19.10).
        """
        super().__init__(client, timeout=timeout)
        self.tgt_name = None if tgt_name is None else validate.text(
            'tgt_name', tgt_name, validate.TARGET_NAME_MAX)

    def __repr__(self) -> str:
        target = f' {self.tgt_name}' if self.tgt_name else ''
        return f'<clients.NvmfTgt {self.rpc.address}{target}>'

    # Targets
    for_target = targets.for_target
    nvmf_get_targets = targets.get_names
    nvmf_create_target = targets.create
    nvmf_delete_target = targets.delete
    nvmf_get_stats = targets.get_stats
    nvmf_publish_mdns_prr = mdns.publish
    nvmf_stop_mdns_prr = mdns.stop

    # Transports
    nvmf_get_transports = transports.get
    nvmf_create_transport = transports.create
    create_missing_transports = transports.create_missing

    # Subsystems
    nvmf_get_subsystems = subsystems.get
    find_subsystem = subsystems.find
    nvmf_create_subsystem = subsystems.create
    nvmf_delete_subsystem = subsystems.delete
    nvmf_subsystem_get_controllers = subsystems.get_controllers
    nvmf_subsystem_get_qpairs = subsystems.get_qpairs
    construct_nvmf_subsystem = construct.construct

    # Namespaces
    nvmf_subsystem_add_ns = namespaces.add
    nvmf_subsystem_remove_ns = namespaces.remove
    nvmf_subsystem_set_ns_ana_group = namespaces.set_ana_group
    nvmf_ns_add_host = namespaces.add_host
    nvmf_ns_remove_host = namespaces.remove_host

    # Listeners
    nvmf_subsystem_add_listener = listeners.add
    nvmf_subsystem_remove_listener = listeners.remove
    nvmf_subsystem_get_listeners = listeners.get
    nvmf_subsystem_listener_set_ana_state = listeners.set_ana_state

    # Hosts
    nvmf_subsystem_add_host = hosts.add
    nvmf_subsystem_remove_host = hosts.remove
    nvmf_subsystem_allow_any_host = hosts.allow_any
    nvmf_subsystem_set_keys = hosts.set_keys

    # Referrals
    nvmf_discovery_get_referrals = referrals.get
    nvmf_discovery_add_referral = referrals.add
    nvmf_discovery_remove_referral = referrals.remove

    # Names and arguments of py-spdk; construct_nvmf_subsystem has kept its
    # own.
    get_nvmf_subsystems = pyspdk.get_nvmf_subsystems
    delete_nvmf_subsystem = pyspdk.delete_nvmf_subsystem
