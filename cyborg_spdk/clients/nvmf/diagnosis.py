# SPDX-License-Identifier: Apache-2.0

"""Why an NVMe-oF call failed: SPDK tells it only in its log.

Each function reads the target's state after the failure and returns (class
of the error, sentence), or None where nothing was found.
"""

import errno
import os
import socket

from cyborg_spdk import exceptions


def no_subsystem(tgt, nqn):
    """The subsystem does not exist.

    :param tgt: the :class:`~cyborg_spdk.clients.nvmf.client.NvmfTgt`.
    """
    if tgt.find_subsystem(nqn) is None:
        return exceptions.NotFound, f'subsystem {nqn} does not exist'
    return None


def namespace(tgt, nqn, bdev_name, nsid, params):
    """Why a namespace could not be added."""
    subsystem = tgt.find_subsystem(nqn)
    if subsystem is None:
        return exceptions.NotFound, f'subsystem {nqn} does not exist'
    if subsystem.is_discovery:
        return exceptions.InvalidParams, \
            f'{nqn} is a discovery subsystem: it has no namespaces'
    bdev = tgt.find_bdev(bdev_name)
    if bdev is None:
        return exceptions.NotFound, f'bdev {bdev_name!r} does not exist'
    there = subsystem.namespace(nsid) if nsid else None
    if there is not None:
        return exceptions.AlreadyExists, \
            f'NSID {nsid} of {nqn} is bdev {there.bdev_name!r}'
    highest = subsystem.max_namespaces
    if nsid and highest and nsid > highest:
        return exceptions.InvalidParams, \
            f'NSID {nsid} is over max_namespaces {highest} of {nqn}'
    holder = _holder(tgt, bdev)
    if holder is not None:
        return exceptions.PermissionDenied, \
            f'bdev {bdev_name!r} is {holder} already'
    if not nsid and highest and len(subsystem.namespaces) >= highest:
        return exceptions.NoSpace, \
            f'all {highest} NSIDs of {nqn} are in use'
    group = params.get('anagrpid')
    if group and highest and group > highest:
        return exceptions.InvalidParams, \
            f'anagrpid {group} is over max_namespaces {highest} of {nqn}'
    if bdev.claimed:
        above = [one.name for one in tgt.bdev_get_bdevs()
                 if bdev.name in one.bases]
        by = f'bdev {", ".join(above)}' if above else 'another module'
        return exceptions.PermissionDenied, \
            f'bdev {bdev_name!r} is claimed by {by}'
    if params.get('ptpl_file'):
        return exceptions.InvalidParams, 'ptpl_file ' \
            f'{params["ptpl_file"]!r} of bdev {bdev_name!r} cannot be used'
    return _options(f'bdev {bdev_name!r} as namespace of {nqn}', params)


def _holder(tgt, bdev):
    for subsystem in tgt.nvmf_get_subsystems():
        for one in subsystem.namespaces:
            if bdev.known_as(one.bdev_name):
                return f'NSID {one.nsid} of {subsystem.nqn}'
    return None


def no_namespace(tgt, nqn, nsid):
    """The namespace, or its subsystem, does not exist."""
    subsystem = tgt.find_subsystem(nqn)
    if subsystem is None:
        return exceptions.NotFound, f'subsystem {nqn} does not exist'
    if subsystem.namespace(nsid) is None:
        return exceptions.NotFound, f'{nqn} has no namespace {nsid}'
    return None


def listener(tgt, nqn, address, options):
    """Why a subsystem cannot listen there.

    :param options: what else was asked for (dict).
    """
    subsystem = tgt.find_subsystem(nqn)
    if subsystem is None:
        return exceptions.NotFound, f'subsystem {nqn} does not exist'
    if any(one.place == address.place for one in subsystem.listen_addresses):
        return exceptions.AlreadyExists, f'{nqn} listens on {address} already'
    if tgt.rpc.has('nvmf_get_transports'):
        have = [one.trtype for one in tgt.nvmf_get_transports()]
        if address.trtype.upper() not in (one.upper() for one in have):
            return exceptions.NotFound, f'transport {address.trtype} was ' \
                'not created: call nvmf_create_transport first'
    if options.get('secure_channel') and subsystem.allow_any_host:
        return exceptions.InvalidParams, f'{nqn} allows any host: TLS ' \
            'needs hosts with keys'
    return _no_socket(tgt, options.get('sock_impl')) or \
        _bind(tgt, address) or _options(f'listener {address} of {nqn}',
                                        options)


def _options(about, options):
    """Where nothing else is left: one of the options, if there are any."""
    if not options:
        return None
    return exceptions.InvalidParams, f'{about}: the name, type or value of ' \
        f'one of the options {", ".join(sorted(options))} does not suit'


def _no_socket(tgt, name):
    """The target has no socket implementation of that name."""
    if name is None or not tgt.rpc.has('sock_impl_get_options'):
        return None
    try:
        tgt.rpc.call('sock_impl_get_options', impl_name=name)
    except exceptions.RpcError:
        return exceptions.NotFound, f'the target has no socket ' \
            f'implementation {name!r}'
    return None


def no_listener(tgt, nqn, address):
    """The listener, or its subsystem, does not exist."""
    subsystem = tgt.find_subsystem(nqn)
    if subsystem is None:
        return exceptions.NotFound, f'subsystem {nqn} does not exist'
    if all(one.place != address.place for one in subsystem.listen_addresses):
        return exceptions.NotFound, f'{nqn} does not listen on {address}'
    return None


def _bind(tgt, address):
    """What the system says to a listener of our own at that place.

    Only for TCP, and only if the target is a process in our own network
    namespace. The socket is closed at once and never listens.
    """
    if address.trtype != 'TCP' or not _same_network(tgt):
        return None
    family = socket.AF_INET6 if address.adrfam == 'IPv6' else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((address.traddr, int(address.trsvcid)))
        except OSError as exc:
            if exc.errno == errno.EADDRINUSE:
                return exceptions.Busy, f'port {address.trsvcid} of ' \
                    f'{address.traddr} is in use by another process'
            if exc.errno == errno.EADDRNOTAVAIL:
                return exceptions.InvalidParams, \
                    f'{address.traddr} is no address of this host'
    return None


def _same_network(tgt):
    try:
        peer = tgt.rpc.peer()
        return peer is not None and os.readlink(
            f'/proc/{peer[0]}/ns/net') == os.readlink('/proc/self/ns/net')
    except (OSError, TypeError, IndexError):
        return False


def host(tgt, nqn, host_nqn, wanted, keys=None):
    """Why a host could not be added or removed.

    :param wanted: whether the host should have been there.
    :param keys: dict of parameter to the name of a key in the keyring.
    """
    subsystem = tgt.find_subsystem(nqn)
    if subsystem is None:
        return exceptions.NotFound, f'subsystem {nqn} does not exist'
    there = host_nqn in subsystem.hosts
    if there and not wanted:
        return exceptions.AlreadyExists, \
            f'host {host_nqn} may use {nqn} already'
    if wanted and not there:
        return exceptions.NotFound, f'{nqn} has no host {host_nqn}'
    return _keys(tgt, host_nqn, keys or {})


def _keys(tgt, host_nqn, keys):
    """Why the keys of a host were not taken."""
    keys = {name: value for name, value in keys.items() if value is not None}
    if not tgt.rpc.has('keyring_get_keys'):
        return None
    have = [one.name for one in tgt.keyring_get_keys()]
    for name, key in keys.items():
        # Until v26.01 a PSK may also be a path.
        if key not in have and not (name == 'psk' and key.startswith('/')):
            return exceptions.NotFound, f'{name}: there is no key {key!r} ' \
                'in the keyring: call keyring_file_add_key first'
    if 'dhchap_ctrlr_key' in keys and 'dhchap_key' not in keys:
        return exceptions.InvalidParams, 'dhchap_ctrlr_key needs dhchap_key'
    if keys:
        return exceptions.InvalidParams, f'host {host_nqn}: key ' \
            f'{", ".join(map(repr, keys.values()))} is not of the form ' \
            'that this use needs'
    return None
