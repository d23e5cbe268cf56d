# SPDX-License-Identifier: Apache-2.0

"""Block devices: what every SPDK application can do with them."""

from cyborg_spdk.clients import base
from cyborg_spdk.clients.bdev import layers as bdev_layers
from cyborg_spdk.clients.bdev import lvol as bdev_lvol
from cyborg_spdk.clients.bdev import nvme as bdev_nvme
from cyborg_spdk.clients.bdev import raid as bdev_raid
from cyborg_spdk.clients import keyring
from cyborg_spdk.clients import pyspdk
from cyborg_spdk.clients import types
from cyborg_spdk.clients import validate
from cyborg_spdk import exceptions


class BdevClient(bdev_layers.BdevLayers, bdev_lvol.BdevLvol,
                 bdev_raid.BdevRaid, bdev_nvme.BdevNvme, keyring.Keyring,
                 pyspdk.HistoricBdev, base.Client):
    """Client for the block devices of any SPDK application."""

    def rpc_get_methods(self):
        """Names of the methods that the target has, without aliases.

        :returns: sorted list of str.
        """
        return sorted(self._call('rpc_get_methods'))

    def spdk_get_version(self):
        """Release of the target (v19.04 or later).

        :returns: :class:`~cyborg_spdk.clients.types.Version`.
        """
        return types.Version.parse(self._call('spdk_get_version'))

    def spdk_kill_instance(self, sig_name='SIGTERM'):
        """Make the target end.

        :param sig_name: SIGTERM and SIGINT end it in an orderly way;
            SIGQUIT, SIGHUP, SIGKILL and (v20.07) SIGUSR1 kill it.
        :returns: True: the target has the request. Releases before v26.05
            mostly close the connection instead of answering, and so does
            any release that is killed: that counts as success.
        """
        sig_name = validate.choice('sig_name', sig_name, (
            'SIGINT', 'SIGTERM', 'SIGQUIT', 'SIGHUP', 'SIGKILL', 'SIGUSR1'))
        try:
            self._call('spdk_kill_instance', sig_name=sig_name,
                       _about=f'signal {sig_name}')
        except exceptions.ConnectionLost:
            pass
        return True

    def bdev_get_bdevs(self, name=None):
        """The block devices.

        :param name: name, alias or UUID of the only one wanted; None
            means all.
        :returns: list of :class:`~cyborg_spdk.clients.types.Bdev`, in the
            order in which they were created.
        :raises NotFound: there is none of that name.
        """
        if name is None:
            return types.Bdev.parse_list(self._call('bdev_get_bdevs'))
        validate.text('bdev', name)
        return types.Bdev.parse_list(self._call(
            'bdev_get_bdevs', name=name, _about=f'bdev {name!r}',
            _cause=lambda _exc: self._no_bdev(name)))

    def find_bdev(self, name):
        """The block device of that name, alias or UUID, or None.

        Before v22.05 the UUID is no alias; it is then looked for in the
        list of all.
        """
        try:
            found = self.bdev_get_bdevs(name)
        except exceptions.NotFound:
            found = [one for one in self.bdev_get_bdevs()
                     if one.known_as(name)]
        return found[0] if found else None

    def _no_bdev(self, name):
        if not any(one.known_as(name) for one in self.bdev_get_bdevs()):
            return exceptions.NotFound, f'bdev {name!r} does not exist'
        return None

    def bdev_delete(self, name, *, missing_ok=False, sisters=False):
        """Delete a block device with the call that fits its module.

        What stands on it goes with it, and so do NVMe-oF namespaces and
        vhost controllers' devices: SPDK asks nobody.

        :param name: its name, alias or UUID.
        :param missing_ok: do not mind if there is none.
        :param sisters: a split, an NVMe namespace and a virtio SCSI disk
            can only be deleted together with all others of the same base,
            controller or device. Without this they are deleted only if
            there are no others.
        :returns: True; False if it was not there.
        :raises NotFound: it was not there and ``missing_ok`` is not set.
        :raises NotSupported: SPDK has no call to delete it, or it has
            sisters.
        """
        validate.text('bdev', name)
        bdev = self.find_bdev(name)
        if bdev is None:
            if missing_ok:
                return False
            raise base.missing(
                'bdev_delete', {'name': name},
                f'bdev {name!r} does not exist')
        method, value = self._how_to_delete(bdev, name, sisters)
        return self._delete(
            method, f'bdev {name!r}', lambda: self.find_bdev(name) is None,
            missing_ok, **{bdev.kind.key: value})

    def _how_to_delete(self, bdev, name, sisters):
        kind = bdev.kind
        if self.rpc.has('delete_bdev'):        # v17.03 to v19.01: any kind
            return 'delete_bdev', bdev.name
        if kind.delete is None:
            raise base.unsupported(
                'bdev_delete', {'name': name}, f'bdev {name!r} is a '
                f'{bdev.product_name!r}: SPDK has no call to delete one; '
                'delete what it stands on')
        value = _owner(bdev)
        if kind.of != 'bdev' and not sisters:
            others = [one.name for one in self.bdev_get_bdevs()
                      if one.name != bdev.name and one.kind == kind
                      and _owner(one) == value]
            if others:
                raise base.unsupported(
                    kind.delete,
                    {kind.key: value}, f'bdev {name!r} can only be deleted '
                    f'with the others of {value!r}: {", ".join(others)}')
        return kind.delete, value

    def bdev_get_iostat(self, names=None):
        """I/O statistics of block devices.

        :param names: names of those wanted; None means all.
        :returns: dict of ``tick_rate`` (ticks of a second), ``ticks`` and
            ``bdevs``: a list with one dict of counters for each.
        :raises NotFound: one of them does not exist.
        """
        if names is None:
            return self._iostat(self._call('bdev_get_iostat'))
        names = [validate.text('bdev', one) for one in names]
        if not names:
            validate.refuse('names', names, 'give one at least, or None')
        if self.rpc.supports('bdev_get_iostat', 'names'):
            return self._iostat(self._call(
                'bdev_get_iostat', names=names,
                _about=f'bdevs {", ".join(names)}',
                _cause=lambda _exc: next(
                    filter(None, map(self._no_bdev, names)), None)))
        # Before v26.01: one at a time.
        replies = [self._iostat(self._call(
            'bdev_get_iostat', name=one, _about=f'bdev {one!r}',
            _cause=lambda _exc, one=one: self._no_bdev(one))) for one in names]
        return dict(replies[-1], bdevs=[
            bdev for reply in replies for bdev in reply['bdevs']])

    @staticmethod
    def _iostat(reply):
        # v18.07 to v19.04 answered with an array: the rate first.
        if isinstance(reply, list):
            rate = next((one for one in reply if 'tick_rate' in one), {})
            return dict(rate, bdevs=[one for one in reply if 'name' in one])
        return reply

    def bdev_set_qos_limit(self, name, *, rw_ios_per_sec=None,
                           rw_mbytes_per_sec=None, r_mbytes_per_sec=None,
                           w_mbytes_per_sec=None):
        """Limit the rate of a block device; what is None stays.

        :param name: name of the bdev.
        :param rw_ios_per_sec: operations per second; 0 is no limit. SPDK
            raises it to a multiple of 1000.
        :param rw_mbytes_per_sec: MiB per second, reads and writes; 0 is
            no limit.
        :param r_mbytes_per_sec: reads alone (v19.01).
        :param w_mbytes_per_sec: writes alone (v19.01).
        :returns: True.
        :raises NotFound: the bdev does not exist.
        :raises Busy: v26.05 cannot change the limits of a bdev that has
            some already while nobody uses it.
        """
        limits = {
            'rw_ios_per_sec': rw_ios_per_sec,
            'rw_mbytes_per_sec': rw_mbytes_per_sec,
            'r_mbytes_per_sec': r_mbytes_per_sec,
            'w_mbytes_per_sec': w_mbytes_per_sec}
        # The greatest number means "as it was" to SPDK.
        limits = {key: validate.integer(key, value, 0, 2 ** 64 - 2)
                  for key, value in limits.items() if value is not None}
        if not limits:
            validate.refuse('limits', None, 'give one limit at least')
        validate.text('bdev', name)

        def cause(exc):
            # v26.05, bdev_open() -> bdev_start_qos(): the open of the RPC
            # itself is what makes the change busy.
            if 'temporarily unavailable' in exc.message:
                return exceptions.Busy, f'bdev {name!r} has limits already ' \
                    'and nobody uses it: SPDK v26.05 can change them only ' \
                    'while it is open, for example as a namespace'
            return self._no_bdev(name)

        return self._call('bdev_set_qos_limit', name=name, **limits,
                          _about=f'bdev {name!r}', _cause=cause)


def _owner(bdev):
    """What the delete call of a bdev's kind wants to be told."""
    of = bdev.kind.of
    if of == 'base':
        return bdev.bases[0] if bdev.bases else bdev.name
    if of == 'controller':
        # bdev_nvme.c names them <controller>n<nsid>.
        return bdev.name.rpartition('n')[0]
    if of == 'device':
        # bdev_virtio_scsi.c names them <device>t<target>.
        return bdev.name.rpartition('t')[0]
    return bdev.name
