# SPDX-License-Identifier: Apache-2.0

"""Every recorded exchange, played to the simulator in order."""

import os
import re
import signal
import socket
import unittest

from spdk_simulator import fixture
from tests.simulator.recordings import replay

# Exchanges that may differ: (release, file, index) -> the reason, which
# doc/source/contributor/simulator.rst gives at length.
_SESSION = "an iSCSI initiator was logged in; nobody can log in here"
EXCEPTIONS = {(release, "iscsi", index): _SESSION
              for release in replay.RELEASES for index in (82, 83, 84, 85)
              if release == "26.05" or index != 84}

_BDEVS = [("bdev_malloc_create", {"name": f"Malloc{number}",
                                  "num_blocks": 32768, "block_size": 512})
          for number in range(4)]
_CNODE = "nqn.2016-06.io.spdk:cnode"
_TCP = ("nvmf_create_transport", {"trtype": "TCP"})


def _subsystem(nqn, any_host=True):
    return ("nvmf_create_subsystem",
            {"nqn": nqn, "allow_any_host": any_host,
             "serial_number": "SPDK1"})


def _listener(nqn, port="4420"):
    return ("nvmf_subsystem_add_listener", {
        "nqn": nqn, "listen_address": {
            "trtype": "TCP", "adrfam": "IPv4", "traddr": "127.0.0.1",
            "trsvcid": port}})


def _namespace(nqn, bdev):
    return ("nvmf_subsystem_add_ns",
            {"nqn": nqn, "namespace": {"bdev_name": bdev}})


def _config_setup(release):
    calls = [_BDEVS[0],
             ("bdev_null_create", {"name": "Null0", "num_blocks": 32768,
                                   "block_size": 512})]
    if release != "26.05":
        calls += [("bdev_aio_create", {
            "name": "Aio0", "block_size": 512,
            "filename": replay.SCRATCH + "/aio.img"}),
            ("bdev_passthru_create", {"name": "Pt0",
                                      "base_bdev_name": "Aio0"})]
    calls += [("bdev_error_create", {"base_name": "Malloc0"}), _TCP,
              _subsystem(_CNODE + "1"),
              ("nvmf_subsystem_add_host", {
                  "nqn": _CNODE + "1", "host":
                  "nqn.2016-06.io.spdk:host1"}),
              _namespace(_CNODE + "1", "Null0"), _listener(_CNODE + "1")]
    return calls


class Replay(unittest.TestCase):
    """What the releases' tests share; has no tests of its own."""

    release = None

    def target(self, app="nvmf_tgt", arguments=(), poll_ms=1):
        """Start a target with what the recordings had around them."""
        target = fixture.SimulatedTarget(
            app, release="v" + self.release, poll_ms=poll_ms,
            arguments=arguments)
        self.addCleanup(target.close)
        directory = target.prepare()
        scratch = os.path.join(directory, "scratch")
        sockets = os.path.join(directory, "vhost")
        os.mkdir(scratch)
        os.mkdir(sockets)
        for name, size in (("aio.img", 64 * 2 ** 20),
                           ("odd.img", 1000007), ("tiny.img", 100)):
            with open(os.path.join(scratch, name), "wb") as file:
                file.truncate(size)
        if app == "vhost":
            target.arguments += ["-S", sockets]
        self.comparison = replay.Comparison(
            {replay.SCRATCH: scratch, replay.VHOST: sockets})
        self.comparison.replace.update(self.ports())
        return target.start()

    def ports(self):
        """Ports of the recordings -> ports that are free here."""
        taken = socket.socket()
        self.addCleanup(taken.close)
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ports = {"4499": str(taken.getsockname()[1])}
        held = []
        for port in ("4420", "4421", "4422", "4424", "4425", "4429", "4430",
                     "4431", "4999", "8009", "3260", "3261", "3262", "3264",
                     "3265", "3266", "3267", "3268", "3270", "3263"):
            sock = socket.socket()
            sock.bind(("127.0.0.1", 0))
            held.append(sock)
            ports[port] = str(sock.getsockname()[1])
        for sock in held:
            sock.close()
        return ports

    def connect(self, target):
        """Open a connection that is closed at the end of the test."""
        connection = replay.Connection(target.socket)
        self.addCleanup(connection.close)
        return connection

    def set_up(self, target, calls):
        """Make the state that the recording began with."""
        connection = self.connect(target)
        for method, params in calls:
            reply = connection.call(self.comparison.translate({
                "jsonrpc": "2.0", "id": 0, "method": method,
                "params": params}))
            self.assertNotIn("error", reply, method)

    def exchanges(self, name, app=None):
        """The exchanges of a file, with their numbers, of one target."""
        return [exchange for exchange in replay.load(self.release, name)
                if app is None or exchange["target"] == app]

    def play(self, name, target, exchanges):
        """Play exchanges; fail with all differences."""
        found = replay.play(self.connect(target), exchanges,
                            self.comparison)
        found = [item for item in found
                 if (self.release, name, item[0]) not in EXCEPTIONS]
        if found:
            self.fail(f"{name} of v{self.release}: {len(found)} of "
                      f"{len(exchanges)} differ\n{replay.report(found)}")


class Structured:
    """Files of requests and replies."""

    def test_general(self):
        target = self.target()
        self.play("general", target, self.exchanges("general"))

    def test_bdevs(self):
        target = self.target()
        for name in ("bdev-create-delete", "bdev-get-bdevs", "bdev-delete"):
            self.play(name, target, self.exchanges(name))

    def test_nvmf(self):
        target = self.target()
        self.set_up(target, _BDEVS)
        self.play("nvmf", target, self.exchanges("nvmf"))

    def test_nvme(self):
        target = self.target()
        self.set_up(target, _BDEVS[:2] + [_subsystem(_CNODE + "1")])
        exchanges = self.exchanges("bdev-nvme")
        self.play("bdev-nvme", target, exchanges[:31])
        if len(exchanges) > 31:
            other = "nqn.2016-06.io.spdk:"
            self.set_up(target, [
                ("bdev_malloc_create", {"name": "Malloc7",
                                        "num_blocks": 2048,
                                        "block_size": 512}),
                _subsystem(_CNODE + "7"), _listener(_CNODE + "7"),
                _subsystem(other + "empty"), _listener(other + "empty"),
                _subsystem(other + "closed", False),
                _listener(other + "closed")])
            self.play("bdev-nvme", target, exchanges[31:])

    def test_vhost(self):
        target = self.target("vhost")
        self.set_up(target, _BDEVS)
        exchanges = self.exchanges("vhost")
        self.play("vhost", target, exchanges)
        if exchanges[-1]["request"]["method"] == "spdk_kill_instance":
            self.assertEqual(0, target.process.wait(30))

    def test_iscsi(self):
        target = self.target("iscsi_tgt")
        self.play("iscsi", target, self.exchanges("iscsi"))

    def test_config(self):
        target = self.target()
        self.set_up(target, _config_setup(self.release))
        self.play("config", target, self.exchanges("config"))

    def test_ordering(self):
        for app in ("nvmf_tgt", "vhost"):
            target = self.target(app)
            self.play("ordering", target, self.exchanges("ordering", app))

    def test_historic_names(self):
        if self.release == "26.05":
            self.assertFalse(os.path.exists(os.path.join(
                replay.DIRECTORY, "26.05", "historic-names.json")))
            return
        for app in ("nvmf_tgt", "vhost"):
            target = self.target(app)
            self.play("historic-names", target,
                      self.exchanges("historic-names", app))

    def test_rpcs_allowed(self):
        if self.release != "26.05":
            return
        target = self.target(arguments=[
            "--rpcs-allowed", "spdk_get_version,bdev_get_bdevs"])
        self.play("rpcs-allowed", target, self.exchanges("rpcs-allowed"))

    def test_wait_for_rpc(self):
        target = self.target(arguments=["--wait-for-rpc"])
        waiting = None
        for number, exchange in enumerate(self.exchanges("wait-for-rpc")):
            if isinstance(exchange["request"], dict):
                self.play("wait-for-rpc", target, [exchange])
            elif waiting is None:
                waiting = self.connect(target)
                waiting.send(exchange["request"].encode())
                waiting.socket.settimeout(0.2)
                self.assertRaises(TimeoutError, waiting.line)
                waiting.socket.settimeout(20)
            else:
                self.assertEqual(exchange["response"],
                                 waiting.line().decode(), number)

    def test_kill(self):
        for exchange in self.exchanges("kill"):
            self._kill(exchange)

    def _kill(self, exchange):
        target = self.target(exchange["target"])
        reply = self.connect(target).call(exchange["request"])
        note = exchange["note"]
        then = exchange["response"]
        status = re.search(r"exit code (-?\d+|None)", note).group(1)
        if status == "None":
            self.assertEqual(then["error"], reply["error"])
            return
        status = int(status)
        self.assertEqual(status, target.process.wait(60), note)
        left = "socket left" in note or "file exists: True" in note
        for path in (target.socket, target.socket + ".lock"):
            self.assertEqual(left, os.path.exists(path), note)
        if self.release == "24.01" and status == 0:
            # A race in the recordings too: with or without a reply.
            self.assertIn(reply and reply["result"], (None, True))
        elif then is None:
            self.assertIsNone(reply, note)
        else:
            self.assertIs(True, reply["result"])
        if status < 0:
            self.assertIn(-status, set(signal.Signals))


class Release2201(Structured, Replay):
    """v22.01."""

    release = "22.01"


class Release2401(Structured, Replay):
    """v24.01."""

    release = "24.01"


class Release2605(Structured, Replay):
    """v26.05."""

    release = "26.05"
