# SPDX-License-Identifier: Apache-2.0

"""Every option: what it is called, its default and its help."""

from __future__ import annotations

from typing import Any

from oslo_config import cfg
from oslo_config import types

#: MiB of a target, by its program: what it needs to start (measured, v22.01
#: to v26.05: up to 413 for nvmf_tgt and vhost, 836 for the others) and some.
MEMORY_MB = {'nvmf_tgt': 512, 'vhost': 512, 'iscsi_tgt': 1024,
             'spdk_tgt': 1024}

#: Kinds of target, each the business of one driver.
KINDS = ('nvmf', 'vhost', 'iscsi')

#: SPDK's programs, by the kinds that each can serve.
APPLICATIONS = {
    'nvmf_tgt': ('nvmf',),
    'vhost': ('vhost',),
    'iscsi_tgt': ('iscsi',),
    'spdk_tgt': KINDS,
}

#: Name of the group of the host's options.
GROUP = 'spdk'

SPDK_OPTS = [
    cfg.StrOpt(
        'spdk_dir',
        help='Directory of the SPDK installation: a built source tree, or '
             'a directory that holds nvmf_tgt and vhost. Unset: $SPDK_DIR, '
             'PATH, /usr/local/bin, /opt/spdk and /usr/libexec/spdk are '
             'searched. A value that names no SPDK is an error, and '
             'nothing else is searched then.'),
    cfg.ListOpt(
        'nvmf_targets', default=['spdk_nvmf'],
        help='Names of the NVMe-oF targets of this host. Each is the name '
             'of a group of options like [spdk_nvmf], and one Cyborg '
             'device. A name, once reported, should not change: Cyborg '
             'knows the device by it.'),
    cfg.ListOpt(
        'vhost_targets', default=['spdk_vhost'],
        help='Names of the vhost targets of this host; see nvmf_targets.'),
    cfg.ListOpt(
        'iscsi_targets', default=['spdk_iscsi'],
        help='Names of the iSCSI targets of this host; see nvmf_targets.'),
    cfg.StrOpt(
        'run_path', default='/run/cyborg-spdk',
        help='Directory of the RPC sockets of targets that have no '
             'rpc_address, of their logs and of locks. It is made with mode '
             '0750 if it is missing. It must not be writable by others: '
             'such a directory is refused.'),
    cfg.StrOpt(
        'state_path', default='/var/lib/cyborg-spdk',
        help='Directory of what must survive a reboot: the saved '
             'configuration of each target and the last report to Cyborg. '
             'It is made with mode 0750 if it is missing. It must not be '
             'writable by others: such a directory is refused.'),
    cfg.StrOpt(
        'socket_group',
        help='Group that may use the RPC sockets of the targets started '
             'here (mode 0660): set it to the group of the Cyborg agent. '
             'Unset: the group of the process that starts the target. A '
             'group that does not exist is an error.'),
    cfg.BoolOpt(
        'parallel', default=True,
        help='Start and read several targets at once. False does one '
             'after the other, which is slower and easier to follow in a '
             'log.'),
    cfg.FloatOpt(
        'connect_timeout', default=5.0, min=0.01,
        help='Seconds of wall-clock time to wait for a connection to a '
             'target. A target that takes longer is reported to Cyborg as '
             'not readable, which leaves what Cyborg knows of it as it '
             'is.'),
    cfg.FloatOpt(
        'rpc_timeout', default=30.0, min=0.01,
        help='Seconds of wall-clock time to wait for the reply to one '
             'call. Keep it below the rpc_response_timeout of the Cyborg '
             'agent (60 s).'),
    cfg.FloatOpt(
        'start_timeout', default=60.0, min=0.1,
        help='Seconds to wait until a target that was started answers '
             'and its framework is initialised. A target that takes longer '
             'is stopped again.'),
    cfg.FloatOpt(
        'stop_timeout', default=30.0, min=0.1,
        help='Seconds to wait for a target to end after SIGTERM. After '
             'that the stop fails; SIGKILL is sent only where it is asked '
             'for.'),
    cfg.BoolOpt(
        'manage_hugepages', default=True,
        help='Reserve the huge pages that are missing, and mount hugetlbfs '
             'where it is not mounted, before a target is started. Pages '
             'are only added, never taken away. False: a start fails if '
             'there are too few.'),
    cfg.IntOpt(
        'hugepage_size_kb', min=4,
        help='Size of the huge pages to use, in KiB, for example 2048 or '
             '1048576. Unset: the default size of the kernel. A size that '
             'the kernel does not have is an error.'),
    cfg.ListOpt(
        'hugepage_nodes', item_type=types.Integer(min=0), default=[],
        help='NUMA nodes to reserve huge pages on, in equal parts. Empty: '
             'the kernel spreads them. A node that does not exist is an '
             'error.'),
    cfg.ListOpt(
        'pci_devices', default=[],
        help='PCI addresses (0000:3b:00.0) that SPDK\'s setup.sh may take '
             'from the kernel and bind to vfio-pci before a target is '
             'started. Empty: none. A disk that is mounted or otherwise in '
             'use is refused.'),
    cfg.IntOpt(
        'max_new_units', default=50, min=1,
        help='How many new namespaces, controllers or LUNs of a target the '
             'first report to Cyborg adds at most; the others follow in the '
             'next reports. Each new one costs Cyborg 70 ms on a quiet '
             'controller and 230 ms on a busy one, and a report must end '
             'within the agent\'s rpc_response_timeout. Later reports add '
             'more, up to max_new_units_limit, as long as the last ones were '
             'fast enough, and fewer if they were not.'),
    cfg.IntOpt(
        'max_new_units_limit', default=200, min=1,
        help='How many new units of a target one report adds at most, '
             'however fast the last ones were. A value below max_new_units '
             'means: never more than max_new_units.'),
    cfg.FloatOpt(
        'full_report_interval', default=3600.0, min=0.0,
        help='Seconds after which a target is reported to Cyborg in full '
             'although nothing has changed, some earlier on some hosts so '
             'that they do not all do so at once. In between it is reported '
             'as a stub, which costs Cyborg\'s conductor a quarter of the '
             'database statements. If Cyborg loses a device, it is back '
             'after this time, or when something changes. 0: always in '
             'full.'),
    cfg.StrOpt(
        'units_file',
        help='YAML file that declares pools of disks and the units made of '
             'them; see units.yaml in etc/cyborg_spdk. Unset: units are '
             'made by hand. A file that cannot be read or understood is an '
             'error, and nothing of it is done.'),
    cfg.StrOpt(
        'wipe', default='zeroes',
        choices=['zeroes', 'nvme', 'format', 'sanitize', 'none'],
        help='How a unit is wiped between two consumers, where its pool in '
             'units_file says nothing else. "zeroes" writes zeroes through '
             'the unit\'s own export. "nvme" has the target do so, "format" '
             'and "sanitize" have the NVMe controller erase it before; '
             'these three are for whole NVMe namespaces. "none" gives the '
             'next consumer what the last one wrote; it is not for the units '
             'of pools: a pool says that itself.'),
    cfg.IntOpt(
        'wipe_depth', default=2, min=1, max=64,
        help='Commands of one wipe in flight. More is faster, and slows the '
             'other units of the same target down.'),
    cfg.IntOpt(
        'wipe_size_mb', default=4, min=1, max=256,
        help='MiB of each command of a wipe. More is faster, and slows the '
             'other units of the same target down.'),
    cfg.IntOpt(
        'wipe_rate_mb', default=0, min=0,
        help='MiB per second of one wipe. 0: as fast as wipe_depth and '
             'wipe_size_mb let it.'),
    cfg.IntOpt(
        'wipe_parallel', default=1, min=1, max=64,
        help='How many units of one target are wiped at once; the others '
             'wait.'),
    cfg.StrOpt(
        'privsep_helper_command',
        help='Command line that starts the privileged helper for a process '
             'that is not root. Unset: "sudo -n '
             '/usr/bin/cyborg-spdk-privileged". It takes no arguments; what '
             'it does is decided by its own configuration, '
             '/etc/cyborg_spdk/privileged.conf or the files that the '
             'command reads, which only root may be able to write. See '
             'etc/cyborg_spdk/sudoers.'),
]


class Argument(types.String):
    """An argument of a program, an element of a list.

    In quotes it may hold the separator of the list; those are taken off.
    """

    def __init__(self) -> None:
        super().__init__(quotes=True, type_name='argument')

    def __call__(self, value: Any) -> str:
        text = str(value)
        if text[:1] not in ('"', "'") and ('"' in text or "'" in text):
            raise ValueError(f'{text!r} has a quote inside; put the whole '
                             'argument into quotes')
        return super().__call__(text)


def target_opts(kind: str) -> list[cfg.Opt]:
    """Options of one target's group.

    :param kind: one of :data:`KINDS`.
    :returns: list of oslo.config options.
    """
    application = {'nvmf': 'nvmf_tgt', 'vhost': 'vhost',
                   'iscsi': 'iscsi_tgt'}[kind]
    return [
        cfg.StrOpt(
            'application', default=application,
            choices=[application, 'spdk_tgt'],
            help='Program that serves this target. One spdk_tgt can serve '
                 'targets of several kinds: give all of them the same '
                 'rpc_address.'),
        cfg.StrOpt(
            'rpc_address',
            help='Where the target listens for RPCs: /path, '
                 'unix:/path, tcp://host:port or '
                 'ssh://user@host:port/path. Unset: the target\'s name with '
                 '.sock in [spdk] run_path. Only a target on a UNIX socket '
                 'of this host can be started.'),
        cfg.BoolOpt(
            'start', default=True,
            help='Start the target if it does not run. False: it is only '
                 'read, and reported as not readable while it is down.'),
        cfg.BoolOpt(
            'repair', default=False,
            help='Make again what a target has lost that is not started '
                 'here (start = false). A target that is started here is '
                 'always repaired. What was deleted on purpose is never '
                 'made again.'),
        cfg.StrOpt(
            'core_mask',
            help='CPU cores of the target: a mask (0x3) or a list ([0,2]). '
                 'Each core is kept busy to its full. Unset: one core of '
                 'its own for each target, from core 0 on as the targets '
                 'are listed. Cores that this machine does not have, or '
                 'that another target uses, are an error.'),
        cfg.IntOpt(
            'memory_mb', min=8,
            help='Memory of the target in MiB, in huge pages unless '
                 'no_huge is set. Unset: 512 for nvmf_tgt and vhost, 1024 '
                 'for iscsi_tgt and spdk_tgt, which is what they need to '
                 'start. A target that gets too little does not start, or '
                 'refuses to make transports and bdevs.'),
        cfg.BoolOpt(
            'no_huge', default=False,
            help='Run without huge pages. SPDK v26.05 then needs a '
                 'memory_mb of at least 448 (nvmf_tgt, vhost) or 1024 '
                 '(iscsi_tgt, spdk_tgt).'),
        cfg.BoolOpt(
            'interrupt_mode', default=False,
            help='Sleep while idle instead of polling. For nvmf_tgt and '
                 'vhost of recent releases; an idle target then uses about '
                 '2 % of a core, and each I/O takes longer.'),
        cfg.StrOpt(
            'config_file',
            help='JSON configuration to start the target with when nothing '
                 'is kept for it yet, in the form that save_config and -c '
                 'of SPDK have. A file that is missing is an error.'),
        cfg.BoolOpt(
            'save_config', default=True,
            help='Keep what the target is to have (NAME.desired.json in '
                 '[spdk] state_path), and give it back to a target that is '
                 'started here. False: it begins with config_file each '
                 'time.'),
        cfg.ListOpt(
            'extra_args', default=[], item_type=Argument(),
            help='Further arguments for the program, for example '
                 '--iova-mode=va,--disable-cpumask-locks. One that holds a '
                 'comma goes in quotes, as a whole: '
                 '--rpcs-allowed,"spdk_get_version,rpc_get_methods". A '
                 'quote that is not closed is an error. They are passed on '
                 'as they are, never to a shell.'),
        cfg.ListOpt(
            'rpcs_allowed', default=[],
            help='Methods that the RPC socket of the target takes '
                 '(--rpcs-allowed, SPDK v23.01 or newer), for a socket that '
                 'others than the agent may use. "reading" stands for all '
                 'methods that only read. What is not listed is refused to '
                 'everybody, also to the agent: with "reading" alone it '
                 'reports, and attaches nothing. Empty: all methods, which '
                 'makes who may use the socket as good as the user that '
                 'the target runs as.'),
        cfg.StrOpt(
            'resource_class', default=f'CUSTOM_SPDK_{kind.upper()}',
            help='Placement resource class of the units of this target. It '
                 'begins with CUSTOM and an underscore and has capital '
                 'letters, digits and underscores. It must not change '
                 'while units are allocated.'),
    ]


def register(conf: cfg.ConfigOpts) -> None:
    """Register the options of ``[spdk]``.

    Those of the targets are registered by :func:`targets`, which knows
    their names.

    :param conf: an ``oslo_config.cfg.ConfigOpts``; options that are
        registered already stay as they are.
    """
    # By name: an OptGroup object would share its values between several
    # ConfigOpts.
    conf.register_opts(SPDK_OPTS, group=GROUP)


def list_opts() -> list[tuple[cfg.OptGroup, list[cfg.Opt]]]:
    """All options, for oslo-config-generator."""
    return [(cfg.OptGroup(GROUP, title='SPDK on this host'), SPDK_OPTS)] + [
        (cfg.OptGroup('spdk_' + kind, title=f'The {kind} target'),
         target_opts(kind))
        for kind in KINDS]
