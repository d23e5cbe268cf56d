# SPDX-License-Identifier: Apache-2.0

"""Index of what can be done with an iSCSI target."""

from cyborg_spdk.clients import bdev_client
from cyborg_spdk.clients.iscsi import auth_groups
from cyborg_spdk.clients.iscsi import initiator_groups
from cyborg_spdk.clients.iscsi import luns
from cyborg_spdk.clients.iscsi import maps
from cyborg_spdk.clients.iscsi import portal_groups
from cyborg_spdk.clients.iscsi import sessions
from cyborg_spdk.clients.iscsi import target_nodes
from cyborg_spdk.clients import pyspdk
from cyborg_spdk.clients import scsi


class IscsiTgt(bdev_client.BdevClient):
    """Client for ``iscsi_tgt``, or any SPDK application that has iSCSI.

    Each line binds an operation's name to the function of a client that
    does it, in the module of the SPDK object that it is about.

    A target node may be given by its full name, or without the node base,
    as when it was created.
    """

    # Target nodes
    iscsi_get_options = target_nodes.get_options
    full_name = target_nodes.full_name
    iscsi_get_target_nodes = target_nodes.get
    find_target_node = target_nodes.find
    iscsi_create_target_node = target_nodes.create
    iscsi_delete_target_node = target_nodes.delete
    iscsi_target_node_add_lun = luns.add
    iscsi_target_node_add_pg_ig_maps = maps.add
    iscsi_target_node_remove_pg_ig_maps = maps.remove
    iscsi_target_node_set_auth = target_nodes.set_auth
    iscsi_target_node_set_redirect = target_nodes.set_redirect
    iscsi_target_node_request_logout = target_nodes.request_logout
    scsi_get_devices = scsi.get_devices

    # Portal groups
    iscsi_get_portal_groups = portal_groups.get
    iscsi_create_portal_group = portal_groups.create
    iscsi_start_portal_group = portal_groups.start
    iscsi_delete_portal_group = portal_groups.delete
    iscsi_portal_group_set_auth = portal_groups.set_auth

    # Initiator groups
    iscsi_get_initiator_groups = initiator_groups.get
    iscsi_create_initiator_group = initiator_groups.create
    iscsi_initiator_group_add_initiators = initiator_groups.add_initiators
    iscsi_initiator_group_remove_initiators = \
        initiator_groups.remove_initiators
    iscsi_delete_initiator_group = initiator_groups.delete

    # Groups of CHAP secrets
    iscsi_get_auth_groups = auth_groups.get
    iscsi_create_auth_group = auth_groups.create
    iscsi_auth_group_add_secret = auth_groups.add_secret
    iscsi_auth_group_remove_secret = auth_groups.remove_secret
    iscsi_delete_auth_group = auth_groups.delete

    # Sessions
    iscsi_get_connections = sessions.get_connections
    iscsi_set_discovery_auth = sessions.set_discovery_auth

    # Names that the RPCs had in py-spdk's day
    get_scsi_devices = pyspdk.get_scsi_devices
    get_luns = pyspdk.get_luns_of_iscsi
    get_portal_groups = pyspdk.get_portal_groups
    add_portal_group = pyspdk.add_portal_group
    delete_portal_group = pyspdk.delete_portal_group
    get_initiator_groups = pyspdk.get_initiator_groups
    add_initiator_group = pyspdk.add_initiator_group
    delete_initiator_group = pyspdk.delete_initiator_group
    get_target_nodes = pyspdk.get_target_nodes
    construct_target_node = pyspdk.construct_target_node
    target_node_add_lun = pyspdk.target_node_add_lun
    delete_target_node = pyspdk.delete_target_node
    get_iscsi_connections = pyspdk.get_iscsi_connections
    get_interfaces = pyspdk.get_interfaces
    add_ip_address = pyspdk.add_ip_address
    delete_ip_address = pyspdk.delete_ip_address
