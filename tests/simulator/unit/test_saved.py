# SPDX-License-Identifier: Apache-2.0

"""What each release saves, that release takes."""

import io
import json

import testtools

from spdk_simulator.app import cmdline
from spdk_simulator import errors
from spdk_simulator.jsonrpc import registry
from spdk_simulator.jsonrpc import wire
from spdk_simulator import log
from spdk_simulator import methods
from spdk_simulator import release
from spdk_simulator.target import config
from spdk_simulator.target import target as targets

methods.load()

_SAVES = {"framework_get_config", "get_subsystem_config"}


def releases():
    for tag in release.data("parameters")["releases"]:
        try:
            yield release.Release(tag)
        except ValueError:
            continue  # A release of SPDK that is not played.


class SavedTest(testtools.TestCase):

    def test_options_of_every_release(self):
        for played in releases():
            for app in targets.PROGRAMS:
                target = targets.Target(
                    app, played, log.Log(io.StringIO()), cmdline.Options())
                table = registry.Methods(app, played).table
                if table.keys().isdisjoint(_SAVES):
                    continue
                for item in target.options.subsystems():
                    for call in config.calls(
                            target, item["subsystem"]) or ():
                        self.takes(table, call, (played.tag, app))

    def takes(self, table, call, where):
        self.assertIn(call["method"], list(table), where)
        found = None
        if "params" in call:
            found, *_ = wire.parse(json.dumps(call["params"]))
        try:
            table[call["method"]].params(found)
        except errors.CallError as exc:
            self.fail(f"{where}: {call}: {exc}")
