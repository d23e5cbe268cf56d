# SPDX-License-Identifier: Apache-2.0

"""NVMe controllers as a source of block devices, local and remote."""

import errno

from cyborg_spdk.clients import addresses
from cyborg_spdk.clients import base
from cyborg_spdk.clients import types
from cyborg_spdk.clients import validate
from cyborg_spdk import exceptions

#: schema.json, bdev_nvme_multipath_mode, _policy and _selector.
MULTIPATH_MODES = ('disable', 'failover', 'multipath')
POLICIES = ('active_passive', 'active_active')
SELECTORS = ('round_robin', 'queue_depth')


class BdevNvme:
    """Mixed into :class:`~cyborg_spdk.clients.bdev.client.BdevClient`."""

    def bdev_nvme_get_controllers(self, name=None):
        """The NVMe controllers that are attached.

        :param name: the only one wanted; None means all.
        :returns: list of
            :class:`~cyborg_spdk.clients.types.NvmeController`, each with
            one or more paths.
        :raises NotFound: there is none of that name.
        """
        found = types.NvmeController.parse_list(
            self._call('bdev_nvme_get_controllers'))
        if name is not None:
            found = [one for one in found if one.name == name]
            if not found:
                raise base.missing(
                    'bdev_nvme_get_controllers', {'name': name},
                    f'NVMe controller {name!r} does not exist')
        return found

    def _find_nvme(self, name):
        try:
            return self.bdev_nvme_get_controllers(name)[0]
        except exceptions.NotFound:
            return None

    def _no_nvme(self, name):
        if self._find_nvme(name) is None:
            return exceptions.NotFound, \
                f'NVMe controller {name!r} does not exist'
        return None

    def bdev_nvme_attach_controller(self, name, trtype, traddr, *,
                                    adrfam=None, trsvcid=None, subnqn=None,
                                    hostnqn=None, multipath=None,
                                    exist_ok=False, **options):
        """Attach an NVMe controller; its namespaces become bdevs.

        :param name: name of the controller: its bdevs are ``<name>n1``...
        :param trtype: ``PCIe``, ``TCP``, ``RDMA``, ...
        :param traddr: PCI address or IP address.
        :param adrfam: address family; None finds it out.
        :param trsvcid: port; None means 4420 for TCP and RDMA.
        :param subnqn: NQN of the subsystem; TCP and RDMA need it.
        :param hostnqn: NQN to come with (v18.07).
        :param multipath: what a second path under the same name is: one
            of :data:`MULTIPATH_MODES` (v21.10). None is the release's
            default: multipath since v25.05.
        :param exist_ok: do not mind if it has this very path already.
        :param options: others that the release has: hdgst, ddgst,
            ctrlr_loss_timeout_sec, num_io_queues, psk, dhchap_key, ...
        :returns: names of its bdevs (list of str); it may be empty: no
            namespace, or a bdev of the same UUID exists.
        :raises AlreadyExists: it has this path already.
        :raises NotFound: nobody answers there, or the subsystem does not
            let this host in: SPDK does not tell which.
        """
        validate.text('controller', name)
        trtype = validate.choice('trtype', trtype, addresses.TRTYPES)
        fabrics = trtype in ('TCP', 'RDMA')
        address = addresses.make(trtype, traddr, trsvcid, adrfam)
        if fabrics and subnqn is None:
            validate.refuse('subnqn', None, f'{trtype} needs one')
        if subnqn is not None:
            validate.nqn(subnqn, 'subnqn')
        if hostnqn is not None:
            validate.nqn(hostnqn, 'hostnqn')
        if multipath is not None:
            multipath = validate.choice('multipath', multipath,
                                        MULTIPATH_MODES)
        here = (*address.place, subnqn if fabrics else None)
        if exist_ok:
            bdevs = self._bdevs_of_path(name, here)
            if bdevs is not None:
                return bdevs
        return self._call(
            'bdev_nvme_attach_controller', name=name, subnqn=subnqn,
            hostnqn=hostnqn, multipath=multipath,
            _about=f'NVMe controller {name!r} at {address}',
            _cause=lambda exc: self._attach_cause(exc, name, here, address,
                                                  subnqn, options),
            **addresses.params(address), **options)

    def _bdevs_of_path(self, name, here):
        """Bdevs of a controller that has this path, else None."""
        found = self._find_nvme(name)
        if found is None or here not in [one.place for one in found.paths]:
            return None
        return [one.name for one in self.bdev_get_bdevs()
                if one.kind.name == 'nvme' and
                one.name.rpartition('n')[0] == name]

    def _attach_cause(self, exc, name, here, address, subnqn, options):
        for one in self.bdev_nvme_get_controllers():
            if here in [path.place for path in one.paths]:
                return exceptions.AlreadyExists, \
                    f'{address} is a path of NVMe controller {one.name!r}'
        if address.trtype == 'PCIe':
            return exceptions.NotFound, f'no NVMe device {address.traddr} ' \
                'that SPDK may use: is it bound to vfio-pci?'
        if isinstance(exc, exceptions.AlreadyExists):
            return type(exc), f'NVMe controller {name!r} exists with other ' \
                'paths, or its namespaces are bdevs already'
        wrong = self._attach_options(exc, options)
        if wrong:
            return wrong
        if exc.code == -errno.EINVAL and self._find_nvme(name) is not None:
            # bdev_nvme_check_multipath() and its caller in bdev_nvme.c.
            return type(exc), f'NVMe controller {name!r} exists; a further ' \
                'path of it must be to the same subsystem, with the same ' \
                'multipath mode and policy'
        return exceptions.NotFound, f'no subsystem {subnqn} at {address} ' \
            'that lets this host in, or nobody answers there, or this ' \
            f'target has no {address.trtype}'

    def _attach_options(self, exc, options):
        """Cause: a key that is missing, or options that do not go together.

        v24.05: -126 for a key; -22 for the timeouts, which depend on one
        another (bdev_nvme.c, bdev_nvme_check_io_error_resiliency_params()).
        """
        if exc.code == -errno.ENOKEY:
            have = [one.name for one in self.keyring_get_keys()]
            keys = [options[one] for one in ('psk', 'dhchap_key',
                                             'dhchap_ctrlr_key')
                    if options.get(one) not in (None, *have)]
            return exceptions.NotFound, f'key {", ".join(map(repr, keys))} ' \
                'is not in the keyring: call keyring_file_add_key first'
        if exc.code == -errno.EINVAL and options:
            return exceptions.InvalidParams, 'the options ' \
                f'{", ".join(sorted(options))} do not go together, or one ' \
                'is out of range'
        return None

    def bdev_nvme_detach_controller(self, name, *, path=None,
                                    missing_ok=False):
        """Detach an NVMe controller and its bdevs, or one path of it.

        :param name: name of the controller (not of a bdev).
        :param path: only this one, as
            :func:`cyborg_spdk.clients.addresses.parse` takes it
            (v21.10); None means all.
        :param missing_ok: do not mind if there is none.
        :returns: True; False if it was not there.
        :raises NotFound: it was not there and ``missing_ok`` is not set.
        """
        validate.text('controller', name)
        what, params = f'NVMe controller {name!r}', {}
        address = None
        if path is not None:
            address = addresses.parse(path, 'path')
            params = addresses.params(address)
            what = f'path {address} of {what}'

        def missing():
            found = self._find_nvme(name)
            return found is None or address is not None and not any(
                one.place[:3] == address.place for one in found.paths)

        method = 'bdev_nvme_detach_controller'
        # v22.01 answers "true" to the detach of a path that is not there.
        if missing():
            if missing_ok:
                return False
            raise base.missing(method, {'name': name},
                               f'{what} does not exist')
        return self._delete(method, what, missing, missing_ok, name=name,
                            **params)

    def bdev_nvme_reset_controller(self, name, *, cntlid=None):
        """Reset an NVMe controller (v21.07).

        :param name: its name.
        :param cntlid: only this one of its controllers (v23.09).
        :returns: True.
        :raises NotFound: it does not exist.
        """
        return self._on_nvme('bdev_nvme_reset_controller', name,
                             cntlid=cntlid)

    def bdev_nvme_enable_controller(self, name, *, cntlid=None):
        """Enable an NVMe controller that was disabled (v23.09).

        :param name: its name.
        :param cntlid: only this one of its controllers.
        :returns: True.
        :raises NotFound: it does not exist.
        """
        return self._on_nvme('bdev_nvme_enable_controller', name,
                             cntlid=cntlid)

    def bdev_nvme_disable_controller(self, name, *, cntlid=None):
        """Disable an NVMe controller without forgetting it (v23.09).

        :param name: its name.
        :param cntlid: only this one of its controllers.
        :returns: True.
        :raises NotFound: it does not exist.
        """
        return self._on_nvme('bdev_nvme_disable_controller', name,
                             cntlid=cntlid)

    def bdev_nvme_get_controller_health_info(self, name):
        """SMART data of an NVMe controller (v21.07).

        :param name: its name.
        :returns: dict as SPDK has it.
        :raises NotFound: it does not exist.
        """
        return self._on_nvme('bdev_nvme_get_controller_health_info', name)

    def _on_nvme(self, method, name, /, **params):
        validate.text('controller', name)

        def cause(exc):
            found = self._no_nvme(name)
            cntlid = params.get('cntlid')
            if found is None and cntlid is not None and cntlid not in [
                    one.cntlid for one in self._find_nvme(name).paths]:
                return exceptions.NotFound, f'NVMe controller {name!r} ' \
                    f'has no path with cntlid {cntlid}'
            return found or (type(exc), f'NVMe controller {name!r}')

        return self._call(method, name=name, **params, _cause=cause,
                          _about=f'NVMe controller {name!r}')

    def bdev_nvme_get_io_paths(self, name=None):
        """The I/O paths of NVMe bdevs (v22.05).

        :param name: the only bdev wanted; None means all.
        :returns: list of dict: ``bdev_name``, ``cntlid``, ``current``,
            ``connected``, ``accessible``, ``transport``.
        :raises NotFound: the bdev does not exist.
        """
        cause = None
        if name is not None:
            validate.text('bdev', name)
            # A bdev of another module has no paths, which is no error.
            self.bdev_get_bdevs(name)
        found = self._call('bdev_nvme_get_io_paths', name=name,
                           _about=f'bdev {name!r}', _cause=cause)
        return [path for group in found.get('poll_groups', ())
                for path in group.get('io_paths', ())]

    def bdev_nvme_set_preferred_path(self, name, cntlid):
        """Prefer a path of an NVMe bdev (v22.05).

        :param name: the bdev.
        :param cntlid: number of the controller that is preferred.
        :returns: True.
        :raises NotFound: no such bdev or controller.
        """
        validate.integer('cntlid', cntlid, 0, 65535)
        return self._on_nvme_bdev('bdev_nvme_set_preferred_path', name,
                                  cntlid=cntlid)

    def bdev_nvme_set_multipath_policy(self, name, policy, *, selector=None,
                                       rr_min_io=None):
        """Set how an NVMe bdev uses its paths (v22.05).

        :param name: the bdev.
        :param policy: one of :data:`POLICIES`.
        :param selector: one of :data:`SELECTORS` (v23.01).
        :param rr_min_io: operations before the next path (v23.01).
        :returns: True.
        :raises NotFound: no such bdev.
        """
        policy = validate.choice('policy', policy, POLICIES)
        if selector is not None:
            selector = validate.choice('selector', selector, SELECTORS)
        return self._on_nvme_bdev('bdev_nvme_set_multipath_policy', name,
                                  policy=policy, selector=selector,
                                  rr_min_io=rr_min_io)

    def _on_nvme_bdev(self, method, name, /, **params):
        validate.text('bdev', name)

        def cause(exc):
            found = self._not_of_kind(name, 'nvme')
            return found or (type(exc), f'bdev {name!r} has no such path, or '
                             'cannot do that')

        return self._call(method, name=name, **params,
                          _about=f'NVMe bdev {name!r}', _cause=cause)
