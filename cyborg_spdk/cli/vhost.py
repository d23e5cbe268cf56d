# SPDX-License-Identifier: Apache-2.0

"""``cyborg-spdk vhost``: devices for virtual machines."""

import argparse
from typing import Any

from cyborg_spdk.cli import commands
from cyborg_spdk import clients
from cyborg_spdk.clients import types

CTRLR: commands.Argument = (('ctrlr',), {
    'metavar': 'CONTROLLER', 'help': 'Name of the controller.'})
CPUMASK: commands.Argument = (('--cpumask',), {
    'metavar': 'MASK', 'help':
    'Cores of the target that it may use: 0x1. Default: all.'})


class _Vhost(commands.Managing[clients.VhostTgt]):

    kind = 'vhost'
    client_class = clients.VhostTgt


class ControllerList(_Vhost, commands.Listing[clients.VhostTgt]):
    """List the vhost controllers of the targets."""

    arguments = ((('ctrlr',), {'nargs': '?', 'metavar': 'CONTROLLER',
                               'help': 'Only this one.'}),)
    narrow = ('Controller', 'Kind', 'Bdevs')

    def take_action(self,
                    parsed_args: argparse.Namespace) -> commands.Table:
        rows = [self._row(name, controller)
                for name, tgt in self.each(parsed_args)
                for controller in tgt.vhost_get_controllers(
                    parsed_args.ctrlr)]
        return ('Target', 'Controller', 'Kind', 'Bdevs', 'Cores',
                'Socket'), rows

    @staticmethod
    def _row(target: str,
             controller: types.VhostController) -> tuple[Any, ...]:
        bdevs = [f'{scsi.scsi_dev_num}:'
                 + '+'.join(lun.bdev_name for lun in scsi.luns)
                 for scsi in controller.scsi_targets]
        if controller.bdev:
            bdevs = [controller.bdev + (
                ' (read only)' if controller.readonly else '')]
        return (target, controller.ctrlr, commands.Maybe(controller.kind),
                commands.Words(bdevs), commands.Maybe(controller.cpumask),
                commands.Maybe(controller.socket))


class ControllerCreateBlk(_Vhost):
    """Create a block controller for a bdev."""

    arguments = (CTRLR,
                 (('bdev',), {'metavar': 'BDEV', 'help': 'The bdev.'}),
                 CPUMASK,
                 (('--readonly',), {'action': 'store_true',
                                    'help': 'Refuse writes.'}),
                 commands.EXIST_OK)

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        made = self.client(parsed_args).vhost_create_blk_controller(
            parsed_args.ctrlr, parsed_args.bdev,
            cpumask=parsed_args.cpumask, readonly=parsed_args.readonly,
            exist_ok=parsed_args.exist_ok)
        self.say(f'vhost controller {made}')


class ControllerCreateScsi(_Vhost):
    """Create a SCSI controller, with bdevs as its targets."""

    arguments = (CTRLR,
                 (('bdevs',), {'nargs': '*', 'metavar': 'BDEV', 'help':
                               'Bdevs: targets 0, 1, ... of it.'}),
                 CPUMASK, commands.EXIST_OK)

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        tgt = self.client(parsed_args)
        made = tgt.vhost_create_scsi_controller(
            parsed_args.ctrlr, cpumask=parsed_args.cpumask,
            exist_ok=parsed_args.exist_ok)
        for bdev in parsed_args.bdevs:
            tgt.vhost_scsi_controller_add_target(
                made, None, bdev, exist_ok=parsed_args.exist_ok)
        self.say(f'vhost controller {made}')


class ControllerDelete(_Vhost):
    """Delete a controller."""

    arguments = (CTRLR, commands.MISSING_OK)

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        done = self.client(parsed_args).vhost_delete_controller(
            parsed_args.ctrlr, missing_ok=parsed_args.missing_ok)
        self.say(commands.gone(f'vhost controller {parsed_args.ctrlr}',
                               done))


class TargetAdd(_Vhost):
    """Give a SCSI controller a target."""

    arguments = (CTRLR,
                 (('bdev',), {'metavar': 'BDEV', 'help': 'The bdev.'}),
                 (('--number',), {'type': int, 'metavar': 'N', 'help':
                                  '0 to 7. Default: the first free.'}),
                 commands.EXIST_OK)

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        number = self.client(parsed_args).vhost_scsi_controller_add_target(
            parsed_args.ctrlr, parsed_args.number, parsed_args.bdev,
            exist_ok=parsed_args.exist_ok)
        self.say(f'target {number} of vhost controller {parsed_args.ctrlr}')


class TargetRemove(_Vhost):
    """Take a target from a SCSI controller."""

    arguments = (CTRLR,
                 (('number',), {'type': int, 'metavar': 'N',
                                'help': 'Its number.'}),
                 commands.MISSING_OK)

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        done = self.client(
            parsed_args).vhost_scsi_controller_remove_target(
            parsed_args.ctrlr, parsed_args.number,
            missing_ok=parsed_args.missing_ok)
        self.say(commands.gone(f'target {parsed_args.number} of vhost '
                               f'controller {parsed_args.ctrlr}', done))
