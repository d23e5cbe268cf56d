# SPDX-License-Identifier: Apache-2.0

"""vhost-user controllers: block and SCSI devices for virtual machines."""

from cyborg_spdk.clients import base
from cyborg_spdk.clients.bdev import client as bdev_client
from cyborg_spdk.clients import pyspdk
from cyborg_spdk.clients import types
from cyborg_spdk.clients import validate
from cyborg_spdk import exceptions


class VhostTgt(pyspdk.HistoricVhost, bdev_client.BdevClient):
    """Client for ``vhost``, or any SPDK application that has vhost."""

    def vhost_get_controllers(self, name=None):
        """The vhost controllers.

        :param name: name of the only one wanted; None means all.
        :returns: list of
            :class:`~cyborg_spdk.clients.types.VhostController`.
        :raises NotFound: there is none of that name.
        """
        params = {}
        if name is not None:
            validate.text('ctrlr', name)
            if self.rpc.supports('vhost_get_controllers', 'name'):
                params['name'] = name
        found = types.VhostController.parse_list(self._call(
            'vhost_get_controllers', _about=f'vhost controller {name!r}',
            **params))
        if name is not None:
            found = [one for one in found if one.ctrlr == name]
            if not found:
                raise self._missing('vhost_get_controllers', name)
        return found

    @staticmethod
    def _missing(method, name):
        return base.missing(
            method, {'ctrlr': name},
            f'vhost controller {name!r} does not exist')

    def find_controller(self, name):
        """The vhost controller of that name, or None."""
        try:
            return self.vhost_get_controllers(name)[0]
        except exceptions.NotFound:
            return None

    def vhost_create_blk_controller(self, ctrlr, dev_name, *, cpumask=None,
                                    readonly=False, exist_ok=False,
                                    **options):
        """Create a controller that gives a bdev to a virtual machine.

        :param ctrlr: its name, and that of its socket in the directory
            that the target was started with (``-S``).
        :param dev_name: the bdev.
        :param cpumask: cores that it may use, of those of the target
            (``"0x1"``); None means all.
        :param readonly: refuse writes.
        :param exist_ok: do not mind if it exists with these properties.
        :param options: others that the release has: packed_ring,
            transport.
        :returns: the controller's name.
        :raises AlreadyExists: it exists and ``exist_ok`` is not set, or
            has other properties.
        :raises NotFound: the bdev does not exist.
        :raises InvalidParams: the cpumask is outside that of the target.
        """
        validate.file_name('ctrlr', ctrlr)
        validate.text('bdev', dev_name)

        def bdev_matches(one):
            bdev = self.find_bdev(dev_name)
            same = bdev is not None and one.bdev and bdev.known_as(one.bdev)
            return dev_name if same else one.bdev

        self._create(
            'vhost_create_blk_controller', f'vhost controller {ctrlr!r}',
            lambda: self.find_controller(ctrlr),
            {'kind': ('blk', lambda one: one.kind),
             'bdev': (dev_name, bdev_matches),
             'readonly': (bool(readonly), lambda one: one.readonly),
             'cpumask': (_mask(cpumask), lambda one: _mask(one.cpumask))},
            exist_ok,
            lambda exc: self._no_bdev(dev_name) or _bad_mask(exc, cpumask)
            or self._no_transport(options.get('transport'))
            or _no_socket(exc, ctrlr),
            ctrlr=ctrlr, dev_name=dev_name, cpumask=cpumask,
            readonly=True if readonly else None, **options)
        return ctrlr

    def vhost_create_scsi_controller(self, ctrlr, *, cpumask=None,
                                     exist_ok=False, **options):
        """Create a SCSI controller that has no targets yet.

        :param ctrlr: its name; see :meth:`vhost_create_blk_controller`.
        :param cpumask: cores that it may use; None means all.
        :param exist_ok: do not mind if it exists with these properties.
        :param options: others that the release has: delay (v24.01: do not
            listen before :meth:`vhost_start_scsi_controller`).
        :returns: the controller's name.
        :raises AlreadyExists: see :meth:`vhost_create_blk_controller`.
        """
        validate.file_name('ctrlr', ctrlr)
        self._create(
            'vhost_create_scsi_controller', f'vhost controller {ctrlr!r}',
            lambda: self.find_controller(ctrlr),
            {'kind': ('scsi', lambda one: one.kind),
             'cpumask': (_mask(cpumask), lambda one: _mask(one.cpumask))},
            exist_ok,
            lambda exc: _bad_mask(exc, cpumask) or _no_socket(exc, ctrlr),
            ctrlr=ctrlr, cpumask=cpumask, **options)
        return ctrlr

    def vhost_start_scsi_controller(self, ctrlr):
        """Start a controller that was created with ``delay`` (v24.01).

        :param ctrlr: its name.
        :returns: True.
        :raises NotFound: it does not exist.
        :raises InvalidParams: it is no SCSI controller: v24.01 and v26.05
            end (SIGSEGV) when they are asked to start another one.
        """
        method = 'vhost_start_scsi_controller'
        validate.text('ctrlr', ctrlr)
        if self.rpc.has(method):
            found = self.vhost_get_controllers(ctrlr)[0]
            if found.kind != 'scsi':
                raise exceptions.InvalidParams(
                    -32602, 'Invalid parameters', method, {'ctrlr': ctrlr},
                    f'vhost controller {ctrlr!r} is of kind {found.kind}; '
                    'not sent, since it would end the target')
        return self._on_controller(method, ctrlr)

    def vhost_delete_controller(self, ctrlr, *, missing_ok=False):
        """Delete a controller of either kind.

        :param ctrlr: its name.
        :param missing_ok: do not mind if there is none.
        :returns: True; False if it was not there.
        :raises NotFound: it was not there and ``missing_ok`` is not set.
        :raises Busy: a virtual machine uses it; or it has SCSI targets,
            which v22.01 and before minded.
        """
        validate.text('ctrlr', ctrlr)
        return self._delete(
            'vhost_delete_controller', f'vhost controller {ctrlr!r}',
            lambda: self.find_controller(ctrlr) is None, missing_ok,
            lambda exc: (type(exc), f'vhost controller {ctrlr!r} has SCSI '
                         'targets, or a virtual machine uses it'),
            ctrlr=ctrlr)

    def vhost_scsi_controller_add_target(self, ctrlr, scsi_target_num,
                                         bdev_name, *, exist_ok=False):
        """Give a SCSI controller a target with the bdev as LUN 0.

        :param ctrlr: the controller.
        :param scsi_target_num: number of the target, 0 to 7; None or -1
            takes the first that is free.
        :param bdev_name: the bdev.
        :param exist_ok: do not mind if the bdev is a target of this
            controller already, of that number if one is given.
        :returns: the number of the target.
        :raises NotFound: no such controller or bdev.
        :raises AlreadyExists: the number is taken.
        :raises NoSpace: all numbers are taken.
        """
        validate.text('ctrlr', ctrlr)
        validate.text('bdev', bdev_name)
        if scsi_target_num in (None, -1):
            scsi_target_num = -1
        else:
            validate.integer('scsi_target_num', scsi_target_num, 0,
                             validate.VHOST_SCSI_TARGETS - 1)
        if exist_ok:
            there = self._target_of(ctrlr, bdev_name)
            if there is not None and scsi_target_num in (-1, there):
                return there
        version = self.rpc.version
        if scsi_target_num == -1 and version is not None and \
                version < (19, 4):
            # vhost_rpc.c took no -1 before; if all are taken, the call
            # fails and the cause tells so.
            taken = {one.scsi_dev_num for one in
                     self.vhost_get_controllers(ctrlr)[0].scsi_targets}
            scsi_target_num = next(
                (one for one in range(validate.VHOST_SCSI_TARGETS)
                 if one not in taken), -1)
        result = self._call(
            'vhost_scsi_controller_add_target', ctrlr=ctrlr,
            scsi_target_num=scsi_target_num, bdev_name=bdev_name,
            _about=f'bdev {bdev_name!r} as target of {ctrlr!r}',
            _cause=lambda exc: self._target_cause(
                exc, ctrlr, scsi_target_num, bdev_name))
        # v19.01 and before answer "true", which is also 1.
        return scsi_target_num if isinstance(result, bool) else result

    def _target_of(self, ctrlr, bdev_name):
        """Number of the target that a bdev is in a controller, or None."""
        controller = self.find_controller(ctrlr)
        bdev = self.find_bdev(bdev_name)
        if controller is None or bdev is None:
            return None
        return next((one.scsi_dev_num for one in controller.scsi_targets
                     if any(bdev.known_as(lun.bdev_name)
                            for lun in one.luns)), None)

    def _target_cause(self, exc, ctrlr, number, bdev_name):
        controller = self.find_controller(ctrlr)
        if controller is None:
            return exceptions.NotFound, \
                f'vhost controller {ctrlr!r} does not exist'
        if controller.kind != 'scsi':
            return exceptions.InvalidParams, f'vhost controller {ctrlr!r} ' \
                f'is of kind {controller.kind}: only a SCSI one has targets'
        taken = {one.scsi_dev_num: one for one in controller.scsi_targets}
        if number in taken:
            names = ', '.join(lun.bdev_name for lun in taken[number].luns)
            return exceptions.AlreadyExists, \
                f'target {number} of {ctrlr!r} is bdev {names or "(gone)"!r}'
        if number == -1 and len(taken) >= validate.VHOST_SCSI_TARGETS:
            return exceptions.NoSpace, \
                f'all {validate.VHOST_SCSI_TARGETS} targets of {ctrlr!r} ' \
                'are in use'
        return self._no_bdev(bdev_name)

    def vhost_scsi_controller_remove_target(self, ctrlr, scsi_target_num, *,
                                            missing_ok=False):
        """Take a target from a SCSI controller.

        :param ctrlr: the controller.
        :param scsi_target_num: number of the target.
        :param missing_ok: do not mind if there is none; the controller
            itself must exist.
        :returns: True; False if it was not there. While a virtual machine
            is connected the target goes only when that has let go.
        :raises NotFound: no such controller or target.
        """
        validate.text('ctrlr', ctrlr)
        validate.integer('scsi_target_num', scsi_target_num, 0,
                         validate.VHOST_SCSI_TARGETS - 1)
        return self._delete(
            'vhost_scsi_controller_remove_target',
            f'target {scsi_target_num} of vhost controller {ctrlr!r}',
            lambda: all(one.scsi_dev_num != scsi_target_num for one in
                        self.vhost_get_controllers(ctrlr)[0].scsi_targets),
            missing_ok, lambda _exc: self._no_controller(ctrlr),
            ctrlr=ctrlr, scsi_target_num=scsi_target_num)

    def vhost_controller_set_coalescing(self, ctrlr, delay_base_us,
                                        iops_threshold):
        """Set interrupt coalescing of a controller.

        :param ctrlr: its name.
        :param delay_base_us: base delay in microseconds; 0 is none.
        :param iops_threshold: operations per second from which on.
        :returns: True.
        :raises NotFound: it does not exist.
        """
        validate.integer('delay_base_us', delay_base_us, 0, 2 ** 32 - 1)
        validate.integer('iops_threshold', iops_threshold, 0, 2 ** 32 - 1)
        return self._on_controller(
            'vhost_controller_set_coalescing', ctrlr,
            delay_base_us=delay_base_us, iops_threshold=iops_threshold)

    def _no_transport(self, name):
        if name is None or not self.rpc.has('virtio_blk_get_transports') or \
                name in self.virtio_blk_get_transports():
            return None
        return exceptions.NotFound, f'virtio-blk transport {name!r} was ' \
            'not created: call virtio_blk_create_transport first'

    def _on_controller(self, method, ctrlr, /, **params):
        validate.text('ctrlr', ctrlr)
        return self._call(method, ctrlr=ctrlr, **params,
                          _about=f'vhost controller {ctrlr!r}',
                          _cause=lambda exc: self._no_controller(ctrlr) or (
                              type(exc), f'vhost controller {ctrlr!r}: '
                              'it cannot do that, or a value is out of '
                              'range'))

    def _no_controller(self, ctrlr):
        if self.find_controller(ctrlr) is None:
            return exceptions.NotFound, \
                f'vhost controller {ctrlr!r} does not exist'
        return None

    def scsi_get_devices(self):
        """The SCSI devices of the target.

        :returns: list of :class:`~cyborg_spdk.clients.types.ScsiDevice`.
        """
        return types.ScsiDevice.parse_list(self._call('scsi_get_devices'))

    def virtio_blk_get_transports(self):
        """Transports of block controllers (v23.01).

        :returns: list of names: ``vhost_user_blk``, ``vfio_user``.
        """
        return [one.get('name') for one in
                self._call('virtio_blk_get_transports')]

    def virtio_blk_create_transport(self, name):
        """Create a transport of block controllers (v22.05).

        :param name: ``vhost_user_blk`` or ``vfio_user``.
        :returns: True.
        :raises AlreadyExists: it exists.
        """
        validate.text('transport', name)

        def cause(_exc):
            if name in self.virtio_blk_get_transports():
                return exceptions.AlreadyExists, \
                    f'virtio-blk transport {name!r} exists already'
            return exceptions.InvalidParams, \
                f'virtio-blk transport {name!r} is not in this target'

        return self._call('virtio_blk_create_transport', name=name,
                          _about=f'virtio-blk transport {name!r}',
                          _cause=cause)


def _mask(text):
    """A core mask as a number, so that ``0x01`` and ``1`` compare equal."""
    if text is None:
        return None
    try:
        return int(text.replace(',', ''), 16)
    except ValueError:
        return text


def _bad_mask(exc, cpumask):
    # v18.01 says "Operation not permitted".
    if cpumask is not None and isinstance(exc, (
            exceptions.InvalidParams, exceptions.PermissionDenied)):
        return exceptions.InvalidParams, \
            f'cpumask {cpumask!r} is no mask, or not within the target\'s'
    return None


def _no_socket(exc, ctrlr):
    """Cause, where nothing else is left: SPDK says "Input/output error"."""
    return type(exc), f'vhost controller {ctrlr!r}: its socket cannot be ' \
        'made in the directory of the target (-S): with it the name has ' \
        'over 107 bytes, or there is a file of that name'
