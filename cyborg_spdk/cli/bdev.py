# SPDX-License-Identifier: Apache-2.0

"""``cyborg-spdk bdev``: the block devices of a target."""

import argparse
from typing import Any

from cyborg_spdk.cli import commands
from cyborg_spdk import clients
from cyborg_spdk.clients import types

NAME: commands.Argument = (('name',), {
    'metavar': 'NAME', 'help': 'Name, alias or UUID of the bdev.'})
NEW: commands.Argument = (('name',), {
    'metavar': 'NAME', 'help': 'Name of the new bdev.'})
SIZE: commands.Argument = (('size',), {
    'metavar': 'SIZE', 'help': 'Size in bytes, or with a unit: 64MiB.'})
BLOCK_SIZE: commands.Argument = (('--block-size',), {
    'type': int, 'default': 512, 'metavar': 'BYTES',
    'help': 'Bytes of a block. Default: 512.'})
UUID: commands.Argument = (('--uuid',), {
    'metavar': 'UUID', 'help': 'UUID of the new bdev.'})


class List(commands.Listing[clients.BdevClient]):
    """List the block devices of the targets."""

    client_class = clients.BdevClient
    arguments = ((('name',), {'nargs': '?', 'metavar': 'NAME', 'help':
                              'Only this one: name, alias or UUID.'}),)
    narrow = ('Name', 'Kind', 'Size', 'On')

    def take_action(self,
                    parsed_args: argparse.Namespace) -> commands.Table:
        rows = [self._row(name, bdev)
                for name, tgt in self.each(parsed_args)
                for bdev in tgt.bdev_get_bdevs(parsed_args.name)]
        return ('Target', 'Name', 'Kind', 'Size', 'Block size', 'Claimed',
                'On'), rows

    @staticmethod
    def _row(target: str, bdev: types.Bdev) -> tuple[Any, ...]:
        return (target, bdev.alias, bdev.kind.name, commands.Size(bdev.size),
                bdev.block_size, bdev.claimed, commands.Words(bdev.bases))


class _Create(commands.Managing[clients.BdevClient]):

    client_class = clients.BdevClient

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        made = self.create(self.client(parsed_args), parsed_args)
        self.say(f'bdev {made}')

    def create(self, tgt: clients.BdevClient,
               parsed_args: argparse.Namespace) -> str:
        """Do it; returns the name."""
        raise AssertionError('a subclass says how')


class CreateMalloc(_Create):
    """Create a bdev in the memory of a target."""

    arguments = (NEW, SIZE, BLOCK_SIZE, UUID, commands.EXIST_OK)

    def create(self, tgt: clients.BdevClient,
               parsed_args: argparse.Namespace) -> str:
        return tgt.bdev_malloc_create(
            parsed_args.name, parsed_args.size, parsed_args.block_size,
            uuid=parsed_args.uuid, exist_ok=parsed_args.exist_ok)


class CreateNull(_Create):
    """Create a bdev that forgets what is written to it."""

    arguments = (NEW, SIZE, BLOCK_SIZE, UUID, commands.EXIST_OK)

    def create(self, tgt: clients.BdevClient,
               parsed_args: argparse.Namespace) -> str:
        return tgt.bdev_null_create(
            parsed_args.name, parsed_args.size, parsed_args.block_size,
            uuid=parsed_args.uuid, exist_ok=parsed_args.exist_ok)


class CreateAio(_Create):
    """Create a bdev on a file or block device of the target's host."""

    arguments = (
        NEW,
        (('filename',), {'metavar': 'FILE', 'help':
                         'Path on the host of the target.'}),
        (('--block-size',), {
            'type': int, 'metavar': 'BYTES', 'help':
            'Bytes of a block; a regular file needs it.'}),
        (('--readonly',), {'action': 'store_true', 'default': None,
                           'help': 'Refuse writes.'}),
        commands.EXIST_OK)

    def create(self, tgt: clients.BdevClient,
               parsed_args: argparse.Namespace) -> str:
        return tgt.bdev_aio_create(
            parsed_args.filename, parsed_args.name, parsed_args.block_size,
            readonly=parsed_args.readonly, exist_ok=parsed_args.exist_ok)


class CreateNvme(_Create):
    """Attach an NVMe controller; its namespaces become bdevs."""

    arguments = (
        (('name',), {'metavar': 'NAME', 'help': 'Name of the controller.'}),
        (('trtype',), {'metavar': 'TRTYPE', 'help': 'PCIe, TCP, RDMA, ...'}),
        (('traddr',), {'metavar': 'ADDRESS',
                       'help': 'PCI or IP address.'}),
        (('--trsvcid',), {'metavar': 'PORT',
                          'help': 'Port. Default: 4420.'}),
        (('--subnqn',), {'metavar': 'NQN',
                         'help': 'Subsystem, for TCP and RDMA.'}),
        commands.EXIST_OK)

    def create(self, tgt: clients.BdevClient,
               parsed_args: argparse.Namespace) -> str:
        return ' '.join(tgt.bdev_nvme_attach_controller(
            parsed_args.name, parsed_args.trtype, parsed_args.traddr,
            trsvcid=parsed_args.trsvcid, subnqn=parsed_args.subnqn,
            exist_ok=parsed_args.exist_ok))


class CreatePassthru(_Create):
    """Create a bdev that hands everything on to another."""

    arguments = (NEW, (('base',), {'metavar': 'BASE', 'help':
                                   'The bdev that it stands on.'}),
                 commands.EXIST_OK)

    def create(self, tgt: clients.BdevClient,
               parsed_args: argparse.Namespace) -> str:
        return tgt.bdev_passthru_create(parsed_args.name, parsed_args.base,
                                        exist_ok=parsed_args.exist_ok)


class CreateLvol(_Create):
    """Create an lvol; with --on also its store, if there is none."""

    arguments = (
        (('store',), {'metavar': 'STORE', 'help': 'Name of its store.'}),
        NEW, SIZE,
        (('--thin',), {'action': 'store_true', 'help':
                       'Take space only as it is written.'}),
        (('--on',), {'metavar': 'BDEV', 'help':
                     'Make the store of this bdev, whose data is lost, '
                     'unless it exists there.'}),
        commands.EXIST_OK)

    def create(self, tgt: clients.BdevClient,
               parsed_args: argparse.Namespace) -> str:
        if parsed_args.on:
            tgt.bdev_lvol_create_lvstore(parsed_args.on, parsed_args.store,
                                         exist_ok=True)
        return tgt.bdev_lvol_create(
            parsed_args.store, parsed_args.name, parsed_args.size,
            thin_provision=parsed_args.thin, exist_ok=parsed_args.exist_ok)


class Delete(commands.Managing[clients.BdevClient]):
    """Delete a block device of any kind.

    What stands on it goes with it, namespaces and vhost devices too.
    """

    client_class = clients.BdevClient
    arguments = (NAME, (('--sisters',), {
        'action': 'store_true', 'help':
        'Delete all that can only go together with it: the other parts of '
        'its base, the other namespaces of its controller.'}),
        commands.MISSING_OK)

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        done = self.client(parsed_args).bdev_delete(
            parsed_args.name, missing_ok=parsed_args.missing_ok,
            sisters=parsed_args.sisters)
        self.say(commands.gone(f'bdev {parsed_args.name}', done))


class Resize(commands.Managing[clients.BdevClient]):
    """Change the size of a null, aio or lvol bdev."""

    client_class = clients.BdevClient
    arguments = (NAME, (('size',), {
        'nargs': '?', 'metavar': 'SIZE', 'help':
        'Size in bytes, or with a unit. None for an aio bdev: it takes '
        'that of its file.'}))

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        size = self.client(parsed_args).bdev_resize(parsed_args.name,
                                                    parsed_args.size)
        self.say(f'bdev {parsed_args.name}: '
                 f'{commands.Size(size).human_readable()}')
