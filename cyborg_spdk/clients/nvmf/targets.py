# SPDX-License-Identifier: Apache-2.0

"""NVMe-oF targets: one application can hold several, each by its name."""

import copy
import re

from cyborg_spdk.clients import base
from cyborg_spdk.clients import validate
from cyborg_spdk import exceptions

#: Name of the target that SPDK's own applications make
#: (module/event/subsystems/nvmf/nvmf_tgt.c).
DEFAULT_TARGET = 'nvmf_tgt'

# These know no tgt_name (schema.json): they are about all targets.
_OF_ALL = frozenset((
    'nvmf_create_target', 'nvmf_delete_target', 'nvmf_get_targets',
    'nvmf_set_config', 'nvmf_set_crdt', 'nvmf_set_max_subsystems'))
# v26.05 and before; v26.09.
_NO_TARGET = re.compile(r"Unable to find (a )?target|"
                        r"NVMf target '.*' not found|No default NVMf target")


class Targets:
    """Mixed into :class:`~cyborg_spdk.clients.nvmf.client.NvmfTgt`.

    :ivar tgt_name: the NVMe-oF target that all its calls are about; None
        means the only one that the application has.
    """

    tgt_name = None

    def for_target(self, tgt_name):
        """The same client for another NVMe-oF target of the application.

        :param tgt_name: its name; None means the only one.
        :returns: a new client on the same connection.
        """
        if tgt_name is not None:
            validate.text('tgt_name', tgt_name, validate.TARGET_NAME_MAX)
        other = copy.copy(self)
        other.tgt_name = tgt_name
        return other

    def _call(self, method, /, _cause=None, **params):
        """See :meth:`base.Client._call`; names the target where it must.

        :raises NotSupported: this SPDK has one target only.
        """
        about_one = method not in _OF_ALL and (
            method.startswith('nvmf_') or method == 'construct_nvmf_subsystem')
        if not about_one:
            return super()._call(method, _cause=_cause, **params)
        if self.tgt_name is not None:
            if not self.rpc.has('nvmf_get_targets'):
                raise base.unsupported(
                    method, {'tgt_name': self.tgt_name},
                    'this SPDK has one NVMe-oF target without a name: '
                    'tgt_name needs v19.10')
            params['tgt_name'] = self.tgt_name

        def cause(exc):
            return self._wrong_target(exc) or (_cause and _cause(exc))

        return super()._call(method, _cause=cause, **params)

    def _wrong_target(self, exc):
        """Cause: no such target; or several, and none was named.

        Never NotFound: the object that was asked for may well exist.
        """
        if not _NO_TARGET.search(exc.message):
            return None
        names = ', '.join(self.nvmf_get_targets())
        if self.tgt_name is not None:
            return exceptions.InvalidParams, f'NVMe-oF target ' \
                f'{self.tgt_name!r} does not exist: there are {names}'
        return exceptions.InvalidParams, 'the application has several ' \
            f'NVMe-oF targets ({names}): say which one, by for_target()'

    def nvmf_get_targets(self):
        """Names of the NVMe-oF targets of the application (v19.10).

        :returns: list of str.
        """
        return list(self._call('nvmf_get_targets') or ())

    def nvmf_create_target(self, name, *, max_subsystems=None,
                           exist_ok=False, **options):
        """Create a further NVMe-oF target (v19.10).

        It has no discovery subsystem. SPDK's own applications serve hosts
        of the one that they made themselves; this is for applications that
        give theirs poll groups. From then on every call needs to say which
        target it is about: :meth:`for_target`.

        :param name: its name, 255 bytes at most.
        :param max_subsystems: how many subsystems it can have; None means
            SPDK's default.
        :param exist_ok: do not mind if there is one of that name.
        :param options: others that the release has: discovery_filter,
            dup_host_policy.
        :returns: its name.
        :raises AlreadyExists: there is one, and ``exist_ok`` is not set.
        """
        validate.text('target', name, validate.TARGET_NAME_MAX)
        if max_subsystems is not None:
            validate.integer('max_subsystems', max_subsystems, 1, 2 ** 32 - 1)
        self._create(
            'nvmf_create_target', f'NVMe-oF target {name!r}',
            lambda: name if name in self.nvmf_get_targets() else None, {},
            exist_ok, name=name, max_subsystems=max_subsystems, **options)
        return name

    def nvmf_delete_target(self, name, *, missing_ok=False):
        """Delete an NVMe-oF target that was created (v19.10).

        Its subsystems go with it. The one that the application made itself
        is not deleted: the application goes on using it.

        :param name: its name.
        :param missing_ok: do not mind if there is none.
        :returns: True; False if it was not there.
        :raises InvalidValue: it is the application's own.
        :raises NotFound: it was not there and ``missing_ok`` is not set.
        """
        validate.text('target', name, validate.TARGET_NAME_MAX)
        if name == DEFAULT_TARGET:
            validate.refuse('target', name, 'the application made it and '
                            'goes on using it: end the application')
        return self._delete(
            'nvmf_delete_target', f'NVMe-oF target {name!r}',
            lambda: name not in self.nvmf_get_targets(), missing_ok,
            name=name)

    # mDNS

    def nvmf_publish_mdns_prr(self, *, exist_ok=False):
        """Tell the network by mDNS where the discovery subsystem listens.

        v24.05, in builds with Avahi. One target of an application can be
        published at a time.

        :param exist_ok: do not mind if it is published already.
        :returns: True.
        :raises NotFound: the discovery subsystem does not listen.
        :raises AlreadyExists: it is published already.
        :raises NotSupported: this build has no Avahi.
        """
        method = 'nvmf_publish_mdns_prr'
        discovery = self.find_subsystem(validate.DISCOVERY_NQN)
        # v26.05, mdns_server.c: a target without the subsystem is a crash.
        if discovery is None or not discovery.listen_addresses:
            raise base.missing(
                method, None, 'the discovery subsystem does not listen '
                'anywhere: nvmf_subsystem_add_listener '
                f'{validate.DISCOVERY_NQN} first; not sent')

        def cause(exc):
            if isinstance(exc, exceptions.AlreadyExists):
                return type(exc), 'it is published already'
            if isinstance(exc, exceptions.NotSupported):
                return type(exc), 'this SPDK was built without Avahi'
            return type(exc), 'another target of this application is ' \
                'published, or no Avahi daemon runs on the target\'s host'

        try:
            return self._call(method, _cause=cause)
        except exceptions.AlreadyExists:
            if not exist_ok:
                raise
        return True

    def nvmf_stop_mdns_prr(self):
        """Stop what :meth:`nvmf_publish_mdns_prr` began (v24.05).

        :returns: True, also if nothing was published: SPDK does not tell.
        """
        return self._call('nvmf_stop_mdns_prr')
