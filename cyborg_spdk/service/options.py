# SPDX-License-Identifier: Apache-2.0

"""The options of the host service: the group ``[spdk_service]``."""

from oslo_config import cfg
from oslo_config import types

from cyborg_spdk import conf as spdk_conf

#: Name of the group.
GROUP = 'spdk_service'

#: Duties that can be named in ``duties``.
DUTIES = ('supervise', 'repair', 'units', 'wipe', 'plug')

#: Those that a plain installation can do.
DEFAULT_DUTIES = ('supervise', 'repair', 'units', 'wipe')

OPTS = [
    cfg.ListOpt(
        'duties', default=list(DEFAULT_DUTIES),
        item_type=types.String(choices=DUTIES),
        help='What cyborg-spdk serve does. supervise: asks each target '
             'every interval and starts one that has ended. repair: makes '
             'what a target has lost. units: makes what [spdk] units_file '
             'declares, and loses nothing by it. wipe: wipes '
             'units that were given back. plug: plugs the units that '
             'instances were given into their domains; it needs libvirt\'s '
             'binding (pip install cyborg-spdk[libvirt]) and [placement]. '
             'Leave one out to switch it off; an unknown name is an '
             'error.'),
    cfg.StrOpt(
        'libvirt_uri', default='qemu:///system',
        help='Where libvirt listens, for the duty plug.'),
    cfg.StrOpt(
        'qemu_user',
        help='User that QEMU runs as: the sockets of units are for it while '
             'they are plugged. Unset: the one that libvirt tells (user in '
             'its qemu.conf).'),
    cfg.FloatOpt(
        'interval', default=2.0, min=0.1, max=60.0,
        help='Seconds between two questions to a target, and how long one '
             'may take to answer. An end of a target is noticed at once.'),
    cfg.IntOpt(
        'missed_answers', default=5, min=2,
        help='How many answers in a row a target must miss before it is '
             'told to hang. One that starts, or whose 64 connections are '
             'all taken, is not told to hang.'),
    cfg.BoolOpt(
        'abort_hung', default=False,
        help='End a target that hangs with SIGABRT, which leaves a core '
             'where the host keeps cores, and start it again. False: it is '
             'only told. What uses the target loses its connections for '
             'that time.'),
    cfg.StrOpt(
        'listen_address', default='127.0.0.1',
        help='Address of /health and /metrics. One that others can reach '
             'needs tls_certificate, tls_key and token_file.'),
    cfg.PortOpt(
        'listen_port', default=10018,
        help='TCP port of /health and /metrics. 0: none is opened.'),
    cfg.FloatOpt(
        'metrics_cache', default=5.0, min=0.5, max=60.0,
        help='Seconds for which /metrics says again what a target said '
             'before it is asked anew, whoever and however many ask for it. '
             'Less costs the target more.'),
    cfg.BoolOpt(
        'latency_histograms', default=False,
        help='Have the targets count the latencies of each unit in buckets, '
             'for percentiles on /metrics: from SPDK v26.05 on, where it is '
             'switched on for the bdevs of the units. It costs the target '
             '30 KiB for each unit and core, and some time for each I/O. '
             'Other releases, and False: there are mean values only.'),
    cfg.StrOpt(
        'tls_certificate',
        help='PEM file of the certificate, and of those between it and its '
             'authority, that /health and /metrics are served with.'),
    cfg.StrOpt(
        'tls_key', help='PEM file of the key of tls_certificate.'),
    cfg.StrOpt(
        'token_file',
        help='File whose first line a client must send as "Authorization: '
             'Bearer LINE". Its mode must not let others read it. Unset: '
             'nothing is asked for, which is allowed on loopback only.'),
]


def register(conf: cfg.ConfigOpts) -> None:
    """Register the options.

    :param conf: the configuration.
    """
    conf.register_opts(OPTS, group=GROUP)


def check(conf: cfg.ConfigOpts) -> None:
    """Read the options, to be told of a bad value here.

    :param conf: the configuration.
    :raises ConfigurationError: for a value that cannot be used.
    """
    register(conf)
    for opt in OPTS:
        spdk_conf.value(conf, GROUP, opt)


def list_opts() -> list[tuple[cfg.OptGroup, list[cfg.Opt]]]:
    """All options, for oslo-config-generator."""
    return [(cfg.OptGroup(GROUP, title='The host service'), OPTS)]
