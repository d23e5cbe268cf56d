# Licensed under the Apache License, Version 2.0 (the "License"); you may
# not use this file except in compliance with the License. You may obtain
# a copy of the License at
#
#      http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
# WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
# License for the specific language governing permissions and limitations
# under the License.

"""All that needs root, in one place, on oslo.privsep.

Run by root, the functions are called as they are. Run by an unprivileged
user they are called in a helper (``sudo privsep-helper``), which keeps only
the capabilities named here. Each function validates its arguments again: it
trusts nobody.

Who may reach the RPC socket of a target that root runs can have it read and
write any file (an AIO bdev). So the user of the agent is as good as root,
whatever is refused here; these checks are against mistakes.
"""

import ctypes
import os
import warnings

with warnings.catch_warnings():
    # oslo.privsep imports eventlet if it is there, which warns of itself.
    warnings.simplefilter('ignore')
    from oslo_privsep import capabilities
    from oslo_privsep import priv_context

from cyborg_spdk import exceptions
from cyborg_spdk.host import detach
from cyborg_spdk.host import hugepages

#: Group of oslo.privsep's own options for this helper.
GROUP = 'cyborg_spdk_privileged'

context = priv_context.PrivContext(
    'cyborg_spdk', cfg_section=GROUP, pypath=f'{__name__}.context',
    capabilities=[
        capabilities.CAP_SYS_ADMIN,  # mount hugetlbfs
        capabilities.CAP_CHOWN,  # give a socket to the agent's group
        capabilities.CAP_DAC_READ_SEARCH,  # in directories of the agent
    ])


def call(conf, name, *args):
    """Call a function of this module, as root or through the helper.

    :param conf: the configuration: ``[spdk] privsep_helper_command``.
    :param name: the function.
    :param args: plain values.
    :returns: what it returns.
    :raises PrivilegeError: if there is no way to root.
    """
    if os.geteuid() == 0:
        context.set_client_mode(False)
    elif conf.spdk.privsep_helper_command:
        context.conf  # noqa: B018  (registers the group's options)
        priv_context.cfg.CONF.set_default(
            'helper_command', conf.spdk.privsep_helper_command, group=GROUP)
    return globals()[name](*args)


@context.entrypoint
def add_hugepages(size_kb, node, count):
    """Add huge pages; see :func:`cyborg_spdk.host.hugepages.add`."""
    for value in (size_kb, count) + (() if node is None else (node,)):
        if not isinstance(value, int) or value < 0:
            raise exceptions.HugepageError(
                f"{value!r} is no number of huge pages")
    hugepages.pool(size_kb, node)
    return hugepages.add(size_kb, node, count)


@context.entrypoint
def mount_hugetlbfs(path, size_kb):
    """Mount hugetlbfs for one size of page.

    :param path: as :func:`cyborg_spdk.host.hugepages.mount_point` says;
        made if it is missing.
    :param size_kb: size of its pages in KiB.
    """
    if path != hugepages.mount_point(size_kb):
        raise exceptions.HugepageError(
            f"{path}: hugetlbfs is mounted only at "
            f"{hugepages.mount_point(size_kb)}")
    hugepages.pool(size_kb)
    os.makedirs(path, 0o755, exist_ok=True)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b'hugetlbfs', os.fsencode(path), b'hugetlbfs', 0,
                  f'pagesize={size_kb}K'.encode()) != 0:
        reason = os.strerror(ctypes.get_errno())
        raise exceptions.HugepageError(
            f"hugetlbfs cannot be mounted at {path}: {reason}; mount it "
            f"yourself, with pagesize={size_kb}K")


_started = {}


@context.entrypoint
def start_target(argv, log, cwd):
    """Start a target; see :class:`cyborg_spdk.host.detach.Detached`.

    :returns: its pid.
    """
    program = detach.Detached(argv, log, cwd)
    _started[program.pid] = program
    return program.pid


@context.entrypoint
def poll_target(pid, timeout):
    """Exit status of a target started here, or None while it runs."""
    return _started[pid].poll(timeout)


@context.entrypoint
def release_target(pid):
    """Let go of a target started here."""
    _started.pop(pid).release()
