# SPDX-License-Identifier: Apache-2.0

"""Block devices that stand on another: split, delay, crypto; their keys."""

from cyborg_spdk.clients import base
from cyborg_spdk.clients.bdev import crypto as bdev_crypto
from cyborg_spdk.clients.bdev import plain as bdev_plain
from cyborg_spdk.clients.bdev import split as bdev_split
from cyborg_spdk.clients import validate
from cyborg_spdk import exceptions

#: schema.json, bdev_delay_latency_type.
LATENCIES = ('avg_read', 'p99_read', 'avg_write', 'p99_write')
#: vbdev_error_rpc.c; ``corrupt_data`` and ``nomem`` since v22.09,
#: ``nvme_failure`` since v26.05.
IO_TYPES = ('clear', 'read', 'write', 'unmap', 'flush', 'all')
ERROR_TYPES = ('failure', 'pending', 'corrupt_data', 'nomem', 'nvme_failure')


class BdevLayers(bdev_split.BdevSplit, bdev_crypto.BdevCrypto,
                 bdev_plain.BdevCreate):
    """Mixed into :class:`~cyborg_spdk.clients.bdev.client.BdevClient`."""

    def bdev_delay_create(self, name, base_bdev_name, *, avg_read_latency,
                          p99_read_latency, avg_write_latency,
                          p99_write_latency, exist_ok=False, deferred=False,
                          **options):
        """Create a bdev that is slow on purpose (v19.07).

        :param name: its name.
        :param base_bdev_name: the bdev that it stands on and claims.
        :param avg_read_latency: microseconds, as the following three.
        :param p99_read_latency: not less than the average.
        :param avg_write_latency: microseconds.
        :param p99_write_latency: not less than the average.
        :param exist_ok: do not mind if it exists with these properties.
        :param deferred: do not mind if the base does not exist yet.
        :param options: others that the release has: uuid.
        :returns: its name.
        :raises NotFound: the base does not exist.
        :raises PermissionDenied: another module has claimed the base.
        """
        validate.text('bdev', name)
        validate.text('bdev', base_bdev_name)
        wanted = {'avg_read_latency': avg_read_latency,
                  'p99_read_latency': p99_read_latency,
                  'avg_write_latency': avg_write_latency,
                  'p99_write_latency': p99_write_latency}
        for key, value in wanted.items():
            validate.integer(key, value, 0, 2 ** 64 - 1)
        for way in ('read', 'write'):
            # vbdev_delay.c, create_delay_disk().
            if wanted[f'p99_{way}_latency'] < wanted[f'avg_{way}_latency']:
                validate.refuse(
                    f'p99_{way}_latency', wanted[f'p99_{way}_latency'],
                    f'it is less than avg_{way}_latency')
        found = self._base_exists('bdev_delay_create', base_bdev_name,
                                  deferred)
        return self._create(
            'bdev_delay_create', f'bdev {name!r}',
            lambda: self.find_bdev(name),
            {'product': ('delay', lambda one: one.product_name),
             'base': (found and (found.name,), lambda one: one.bases),
             **{key: (value, lambda one, key=key: one.own.get(key))
                for key, value in wanted.items()}},
            exist_ok, lambda _exc: self._claimed(base_bdev_name),
            name=name, base_bdev_name=base_bdev_name, **wanted,
            **options) or name

    def bdev_delay_update_latency(self, delay_bdev_name, latency_type,
                                  latency_us):
        """Change one latency of a delay bdev (v19.10).

        :param delay_bdev_name: its name.
        :param latency_type: one of :data:`LATENCIES`.
        :param latency_us: microseconds.
        :returns: True.
        :raises NotFound: there is no delay bdev of that name.
        """
        latency_type = validate.choice('latency_type', latency_type,
                                       LATENCIES)
        validate.integer('latency_us', latency_us, 0, 2 ** 64 - 1)
        return self._call(
            'bdev_delay_update_latency', delay_bdev_name=delay_bdev_name,
            latency_type=latency_type, latency_us=latency_us,
            _about=f'delay bdev {delay_bdev_name!r}',
            _cause=lambda _exc: self._not_of_kind(delay_bdev_name, 'delay'))

    def bdev_error_inject_error(self, name, io_type, error_type, *, num=1,
                                **options):
        """Make an error bdev fail.

        :param name: the error bdev, ``EE_...``.
        :param io_type: one of :data:`IO_TYPES`; ``clear`` ends it all.
        :param error_type: one of :data:`ERROR_TYPES`; ``corrupt_data``
            needs a ``corrupt_value`` from 1 to 255.
        :param num: how many operations are to fail.
        :param options: others that the release has: queue_depth,
            corrupt_offset, corrupt_value, nvme_sct, nvme_sc.
        :returns: True.
        :raises NotFound: there is no error bdev of that name.
        """
        validate.text('bdev', name)
        io_type = validate.choice('io_type', io_type, IO_TYPES)
        error_type = validate.choice('error_type', error_type, ERROR_TYPES)
        validate.integer('num', num, 1, 2 ** 32 - 1)
        # vbdev_error.c: other bytes stay what they are.
        if error_type == 'corrupt_data' and io_type != 'clear':
            validate.integer('corrupt_value', options.get('corrupt_value'),
                             1, 255)
        wrong = self._not_of_kind(name, 'error')
        if wrong:
            raise base.missing('bdev_error_inject_error', {'name': name},
                               wrong[1])
        return self._call('bdev_error_inject_error', name=name,
                          io_type=io_type, error_type=error_type, num=num,
                          _about=f'error bdev {name!r}, {error_type}',
                          **options)

    def bdev_resize(self, name, size):
        """Change the size of a bdev with the call that fits its module.

        :param name: its name, alias or UUID.
        :param size: bytes, or with a unit; whole MiB. An aio bdev takes
            the size that its file has now: None.
        :returns: the size that it has then, in bytes.
        :raises NotSupported: its module cannot do that: no release of
            SPDK can resize a malloc bdev.
        """
        found = self.bdev_get_bdevs(name)[0]
        how = {'null': self.bdev_null_resize, 'lvol': self.bdev_lvol_resize}
        if found.kind.name == 'aio':
            if size is not None:
                validate.refuse('size', size, 'an aio bdev has the size of '
                                'its file: change that, and give None')
            self.bdev_aio_rescan(found.name)
        elif found.kind.name in how:
            how[found.kind.name](found.name, size)
        else:
            raise base.unsupported(
                'bdev_resize',
                {'name': name}, f'bdev {name!r} is a {found.product_name!r}:'
                ' SPDK can resize null, aio and lvol bdevs')
        return self.bdev_get_bdevs(found.name)[0].size

    def bdev_null_resize(self, name, new_size):
        """Make a null bdev larger (v21.01).

        :param name: its name.
        :param new_size: bytes, or with a unit; whole MiB, not less than
            it has.
        :returns: True.
        :raises NotFound: there is no null bdev of that name.
        :raises InvalidParams: it is larger than that already.
        """
        validate.text('bdev', name)
        mebibytes = validate.mebibytes('new_size', new_size)

        def cause(exc):
            wrong = self._not_of_kind(name, 'null')
            return wrong or (type(exc), f'null bdev {name!r} cannot become '
                             f'smaller ({mebibytes} MiB)')

        return self._call('bdev_null_resize', name=name, new_size=mebibytes,
                          _about=f'null bdev {name!r}', _cause=cause)

    def bdev_aio_rescan(self, name):
        """Let an aio bdev see that its file has another size (v22.01).

        :param name: its name.
        :returns: True.
        :raises NotFound: there is no aio bdev of that name.
        """
        validate.text('bdev', name)
        wrong = self._not_of_kind(name, 'aio')
        if wrong:
            raise base.missing('bdev_aio_rescan', {'name': name}, wrong[1])
        # v22.01 answers "false" when it went well (bdev_aio_rpc.c).
        self._call('bdev_aio_rescan', name=name, _false_ok=True,
                   _about=f'aio bdev {name!r}')
        return True

    def _not_of_kind(self, name, kind):
        """Cause: the bdev is missing, or of another module."""
        found = self.find_bdev(name)
        if found is None:
            return exceptions.NotFound, f'bdev {name!r} does not exist'
        if found.kind.name != kind:
            return exceptions.NotFound, f'bdev {name!r} is no {kind} bdev ' \
                f'but a {found.product_name!r}'
        return None
