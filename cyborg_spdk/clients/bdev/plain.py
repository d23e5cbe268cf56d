# SPDX-License-Identifier: Apache-2.0

"""Creating block devices: malloc, null, aio and those that stand on one."""

from cyborg_spdk.clients import base
from cyborg_spdk.clients import types
from cyborg_spdk.clients import validate
from cyborg_spdk import exceptions


def created(result):
    """Name of a new bdev: an array of one until v18.04, then a string."""
    if isinstance(result, list):
        return result[0] if result else None
    return result


def _aio_cause(exc, filename, block_size):
    if isinstance(exc, exceptions.NotFound):
        return type(exc), f'file {filename!r} does not exist on the ' \
            'target\'s host'
    if isinstance(exc, exceptions.InvalidParams):
        return type(exc), f'file {filename!r} with block size ' \
            f'{block_size}: a regular file needs a block size, and its ' \
            'length must be a multiple of it, two blocks at least'
    return type(exc), f'file {filename!r}'


class BdevCreate:
    """Mixed into :class:`~cyborg_spdk.clients.bdev.client.BdevClient`."""

    def bdev_malloc_create(self, name, size, block_size, *, uuid=None,
                           exist_ok=False, **options):
        """Create a bdev in the memory of the target.

        :param name: its name; None lets the target choose ``MallocN``.
        :param size: bytes, or with a unit: ``"64MiB"``.
        :param block_size: bytes of a block, a multiple of 512.
        :param uuid: its UUID; None lets the target choose.
        :param exist_ok: do not mind if it exists with these properties.
        :param options: others that the release has: optimal_io_boundary,
            md_size, md_interleave, dif_type, dif_is_head_of_md,
            physical_block_size, dif_pi_format, numa_id.
        :returns: its name.
        :raises AlreadyExists: the name or the UUID is taken, or
            ``exist_ok`` is set and the existing one has other properties.
        :raises NoSpace: the target has not so much memory.
        """
        return self._create_plain('bdev_malloc_create', 'Malloc disk', name,
                                  size, block_size, uuid, exist_ok, options)

    def bdev_null_create(self, name, size, block_size, *, uuid=None,
                         exist_ok=False, **options):
        """Create a bdev that forgets what is written to it.

        :param name: its name.
        :param size: bytes, or with a unit: ``"64MiB"``.
        :param block_size: bytes of a block, a multiple of 512.
        :param uuid: its UUID; None lets the target choose.
        :param exist_ok: do not mind if it exists with these properties.
        :param options: others that the release has: md_size, dif_type,
            dif_is_head_of_md, physical_block_size, dif_pi_format.
        :returns: its name.
        :raises AlreadyExists: see :meth:`bdev_malloc_create`.
        """
        validate.text('bdev', name)
        return self._create_plain('bdev_null_create', 'Null disk', name,
                                  size, block_size, uuid, exist_ok, options)

    def _create_plain(self, method, product, name, size, block_size, uuid,
                      exist_ok, options):
        if name is not None:
            validate.text('bdev', name)
        validate.block_size(block_size)
        count = validate.blocks('size', size, block_size)
        if uuid is not None:
            uuid = validate.uuid('uuid', uuid)
        return created(self._create(
            method, f'bdev {name!r}' if name else 'a new bdev',
            lambda: self.find_bdev(name) if name else None,
            {'product': (product, lambda one: one.product_name),
             'block size': (block_size, self._data_block_size),
             'blocks': (count, lambda one: one.num_blocks),
             'uuid': (uuid, lambda one: one.uuid)},
            exist_ok, lambda exc: self._uuid_taken(uuid) or (
                type(exc), f'{name or "a new bdev"!r} of {count} blocks: '
                + ('the target has not so much memory' if isinstance(
                    exc, exceptions.NoSpace) else 'not so much memory, or '
                   'a value does not suit')),
            name=name, num_blocks=count, block_size=block_size, uuid=uuid,
            **options)) or name

    @staticmethod
    def _data_block_size(bdev):
        # Interleaved metadata is part of the block that is reported.
        inside = bdev.raw.get('md_interleave') and bdev.md_size
        return bdev.block_size - (inside or 0)

    def _uuid_taken(self, uuid):
        for one in self.bdev_get_bdevs() if uuid else ():
            if one.uuid == uuid or uuid in one.aliases:
                return (exceptions.AlreadyExists,
                        f'uuid {uuid} is that of bdev {one.name!r}')
        return None

    def bdev_aio_create(self, filename, name, block_size=None, *,
                        readonly=None, exist_ok=False, **options):
        """Create a bdev on a file or block device of the target's host.

        :param filename: path on the host of the target.
        :param name: name of the bdev.
        :param block_size: bytes of a block, a power of two from 512 on;
            None asks the block device. A regular file needs one.
        :param readonly: refuse writes (v23.01).
        :param exist_ok: do not mind if it exists with these properties.
        :param options: others that the release has: fallocate, uuid,
            nowait.
        :returns: its name.
        :raises NotFound: the file does not exist.
        :raises AlreadyExists: the name is taken; see
            :meth:`bdev_malloc_create`.
        :raises InvalidParams: the block size does not fit the file.
        """
        validate.text('filename', filename, 4095)
        validate.text('bdev', name)
        if block_size is not None:
            validate.power_of_two('block_size', block_size, 512)

        return created(self._create(
            'bdev_aio_create', f'bdev {name!r}',
            lambda: self.find_bdev(name),
            {'product': ('AIO disk', lambda one: one.product_name),
             'filename': (filename, lambda one: one.own.get('filename')),
             'block size': (block_size, lambda one: one.block_size),
             'readonly': (readonly, lambda one: one.own.get('readonly'))},
            exist_ok, lambda exc: _aio_cause(exc, filename, block_size),
            name=name, filename=filename, block_size=block_size,
            readonly=readonly, **options)) or name

    def bdev_error_create(self, base_name, *, exist_ok=False, deferred=False,
                          **options):
        """Create a bdev that can be told to fail.

        :param base_name: the bdev that it stands on and claims.
        :param exist_ok: do not mind if there is one on that base.
        :param deferred: do not mind if the base does not exist: SPDK then
            creates the error bdev when the base appears.
        :param options: others that the release has: uuid.
        :returns: its name, ``EE_`` and that of the base.
        :raises NotFound: the base does not exist.
        :raises PermissionDenied: another module has claimed the base.
        """
        name = 'EE_' + validate.text('bdev', base_name)
        found = self._base_exists('bdev_error_create', base_name, deferred)
        self._create(
            'bdev_error_create', f'bdev {name!r}',
            lambda: self.find_bdev(name),
            {'base': (found and (found.name,), lambda one: one.bases)},
            exist_ok, lambda _exc: self._claimed(base_name),
            base_name=base_name, **options)
        return name

    def bdev_passthru_create(self, name, base_bdev_name, *, exist_ok=False,
                             **options):
        """Create a bdev that hands everything on to another.

        SPDK aborts as a whole if the name is taken, empty, that of the
        base, or if the new bdev closes a ring of passthru bdevs (seen on
        v24.01 and v26.05), at once or when a base appears that it waited
        for: all of that is refused before it is sent. SPDK does not tell
        which passthru bdevs wait, so a base that does not exist is refused
        here, while other bdevs may be made in advance.

        :param name: its name.
        :param base_bdev_name: the bdev that it stands on and claims.
        :param exist_ok: do not mind if it exists on that base.
        :param options: others that the release has: uuid.
        :returns: its name.
        :raises InvalidValue: the name is empty, or that of the base.
        :raises AlreadyExists: the name, or the UUID, is taken.
        :raises NotFound: the base does not exist.
        :raises PermissionDenied: another module has claimed the base.
        """
        validate.text('bdev', name)
        validate.text('bdev', base_bdev_name)
        if name == base_bdev_name:
            validate.refuse('passthru bdev', name, 'it cannot stand on '
                            'itself: that would abort the target')
        method = 'bdev_passthru_create'
        bdevs = self.bdev_get_bdevs()
        found = self._base_exists(method, base_bdev_name, True, bdevs)
        for word in filter(None, (name, options.get('uuid'))):
            taken = next((one for one in bdevs if one.known_as(word)), None)
            if taken is None:
                continue
            if exist_ok and taken.product_name == 'passthru' and \
                    found is not None and taken.name == name and \
                    taken.bases == (found.name,):
                return name
            raise base.taken(
                method, {'name': name},
                f'bdev {word!r} exists as {taken.product_name!r}'
                + (f' on {", ".join(taken.bases)}' if taken.bases else '')
                + '; not sent, since it would abort the target')
        self._base_exists(method, base_bdev_name, False, bdevs)
        return self._call(
            method, name=name, base_bdev_name=base_bdev_name,
            _about=f'bdev {name!r}',
            _cause=lambda _exc: self._claimed(base_bdev_name), **options)

    def _base_exists(self, method, name, deferred, bdevs=None):
        """The bdev that another is to stand on.

        :param deferred: whether it may be missing; None is returned then.
        :param bdevs: all that there are, where they have been read.
        :raises NotFound: it does not exist.
        """
        if bdevs is None:
            found = self.find_bdev(name)
        else:
            found = next((one for one in bdevs if one.known_as(name)), None)
        if found is None and not deferred:
            raise base.missing(
                method, {'base_bdev_name': name},
                f'base bdev {name!r} does not exist; not sent, since SPDK '
                'would wait for it')
        return found

    def _claimed(self, name):
        """Cause: a module has claimed the bdev ``name``."""
        bdev = self.find_bdev(name)
        if bdev is None:
            return exceptions.NotFound, f'bdev {name!r} does not exist'
        if not bdev.claimed:
            return None
        above = [one.name for one in self.bdev_get_bdevs()
                 if bdev.name in one.bases]
        by = f'by bdev {", ".join(above)}' if above else \
            self._claimant(bdev) or 'by another module'
        return exceptions.PermissionDenied, \
            f'bdev {name!r} is claimed {by}'

    def _claimant(self, bdev):
        """Who has claimed a bdev, if it is no bdev: "by ...", or None."""
        if self.rpc.has('bdev_lvol_get_lvstores'):
            for store in self.bdev_lvol_get_lvstores():
                if bdev.known_as(store.base_bdev):
                    return f'by lvol store {store.name!r}'
        if self.rpc.has('nvmf_get_subsystems'):
            return self._nvmf_claimant(bdev)
        return None

    def _nvmf_claimant(self, bdev):
        """The namespace that a bdev is, in any NVMe-oF target."""
        for subsystem in types.Subsystem.parse_list(
                self._call('nvmf_get_subsystems')):
            for one in subsystem.namespaces:
                if bdev.known_as(one.bdev_name):
                    return f'as NSID {one.nsid} of {subsystem.nqn}'
        return None
