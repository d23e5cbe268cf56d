# SPDX-License-Identifier: Apache-2.0

"""``cyborg-spdk watch``: what changes on this host, as it changes."""

import argparse
import dataclasses
import datetime
import json
import threading
from typing import Any

from cyborg_spdk.cli import commands
from cyborg_spdk.cli import targets as target_cli
from cyborg_spdk import exceptions
from cyborg_spdk.service import ask
from cyborg_spdk.service.metrics import cache
from cyborg_spdk.service import options
from cyborg_spdk.service import watching
from cyborg_spdk import text


class Watch(commands.Configured):
    """Show what changes, one line for each change, until Ctrl-C.

    Targets that answer or not, units and their states, hosts that come and
    go, objects that are missing and back; and plugs, where cyborg-spdk serve
    runs on this host. Nothing is started or changed. What was there at the
    beginning is not told, unless --initial is given.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument(
            'targets', nargs='*', metavar='TARGET',
            help='Name of a target in the configuration. Default: all whose '
                 'driver is enabled.')
        parser.add_argument(
            '--interval', type=float, default=1.0, metavar='SECONDS',
            help='How often to look. Default: 1.')
        parser.add_argument(
            '--json', action='store_true',
            help='Write each change as one line of JSON: at, what, target, '
                 'name, before, after.')
        parser.add_argument(
            '--initial', action='store_true',
            help='Begin with all that is there.')
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        if not parsed_args.interval > 0:
            raise exceptions.InvalidValue(
                '--interval', parsed_args.interval,
                'give more than 0 seconds')
        options.check(self.conf)
        targets = target_cli.chosen(self.conf, parsed_args.targets)
        readings = cache.Cache(self.conf, lasts=parsed_args.interval / 2)
        before: watching.Snapshot | None = {} if parsed_args.initial \
            else None
        try:
            while True:
                now = watching.snapshot(
                    readings.get(targets), self._plugs(), before or {})
                for change in watching.changes(
                        now if before is None else before, now):
                    self._tell(change, parsed_args.json)
                before = now
                # Waits without a signal handler of its own: Ctrl-C ends it.
                threading.Event().wait(parsed_args.interval)
        except (KeyboardInterrupt, BrokenPipeError):
            return 0
        finally:
            readings.close()

    def _plugs(self) -> list[dict[str, Any]] | None:
        found = ask.health(self.conf)
        plug = found and found['duties'].get('plug')
        return plug.get('plugs') if plug else None

    def _tell(self, change: watching.Change, as_json: bool) -> None:
        at = datetime.datetime.now().astimezone().isoformat(
            timespec='seconds')
        if as_json:
            line = json.dumps({'at': at, **dataclasses.asdict(change)})
        else:
            name = f' {change.name}' if change.name else ''
            line = text.printable(
                f'{at} {change.target}: {change.what}{name}: '
                f'{change.before} -> {change.after}')
        self.app.stdout.write(f'{line}\n')
        self.app.stdout.flush()
