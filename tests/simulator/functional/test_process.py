# SPDX-License-Identifier: Apache-2.0

"""A simulated target as a process: start, files, signals, faults, end."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import unittest

from spdk_simulator import fixture
from tests.simulator.recordings import replay

_TIMEOUT = 60


class _Daemon:
    """A process that is nobody's child."""

    @staticmethod
    def poll():
        """It runs, for all that is known."""


class Case(unittest.TestCase):
    """What the tests share."""

    def target(self, app="nvmf_tgt", **arguments):
        """Start a target."""
        target = fixture.SimulatedTarget(app, **arguments)
        self.addCleanup(target.close)
        return target.start()

    def directory(self):
        """Make a private directory."""
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        return directory.name

    def run_program(self, *arguments, app="nvmf_tgt", env=None):
        """Run a program to its end.

        :returns: the :class:`subprocess.CompletedProcess`.
        """
        return subprocess.run(
            [sys.executable, "-m", "spdk_simulator", app,
             *arguments], capture_output=True, text=True, timeout=_TIMEOUT,
            cwd=self.directory(), stdin=subprocess.DEVNULL,
            env={**os.environ, **(env or {}), "PYTHONPATH":
                 os.path.dirname(os.path.dirname(
                     os.path.abspath(fixture.__file__)))})

    def connect(self, target):
        """Open a connection."""
        connection = replay.Connection(target.socket)
        self.addCleanup(connection.close)
        return connection


class Start(Case):

    def test_ends_at_once(self):
        long = "x" * 120
        missing = os.path.join(self.directory(), "none", "x.sock")
        for arguments, status, text in (
                (["--version"], 0, "SPDK v26.05 simulated"),
                (["--help"], 0, "--wait-for-rpc"),
                (["--bogus"], 2, "unrecognized option '--bogus'"),
                (["-s", "abc"], 2, "invalid memory pool size"),
                (["-m", "zz"], 1, "Invalid core mask 'zz'"),
                (["-m", "0"], 1, "Invalid core mask '0'"),
                (["-m", "[900]"], 1, "EAL: lcore 900 unavailable"),
                (["-m", "0", "--spdk-version", "v24.01"], 1,
                 "Failed to unlink lock fd for core 0, errno: 2"),
                (["-p", "7"], 1, "Failed to initialize DPDK"),
                (["--env-context", "--bogus"], 1,
                 "nvmf: unrecognized option '--bogus'"),
                (["--no-rpc-server", "--wait-for-rpc"], 1,
                 "Cannot use '--wait-for-rpc' if no RPC server"),
                (["-e", "nosuch"], 1, "invalid tpoint mask nosuch"),
                (["-e", "bdev:"], -signal.SIGSEGV, "cores available: 1"),
                (["--no-huge"], 1, "Disabling hugepages requires"),
                (["--no-huge", "-s", "64", "--iova-mode=pa"], 1, "pa"),
                (["-r", missing], 234, "Cannot open lock file"),
                (["-r", long], 234, "Unix socket path too long"),
                (["-r", self.directory()], 234,
                 "could not bind JSON-RPC server: Address already in use"),
                (["-c", missing, "-r", "a.sock"], 1,
                 "failed: No such file or directory"),
                (["--fault", "bogus", "-r", "a.sock"], 2, "not understood"),
                (["--spdk-version", "v9.9"], 2, "no SPDK release")):
            with self.subTest(arguments):
                done = self.run_program(*arguments)
                self.assertEqual(status, done.returncode, done.stderr)
                self.assertIn(text, done.stdout + done.stderr)
                self.assertNotIn("Traceback", done.stderr)

    def test_no_program(self):
        done = self.run_program(app="bogus")
        self.assertEqual(2, done.returncode)
        self.assertIn("no program 'bogus'", done.stderr)

    def test_files(self):
        target = self.target()
        mode = os.stat(target.socket).st_mode
        self.assertTrue(stat.S_ISSOCK(mode))
        lock = os.stat(target.socket + ".lock")
        self.assertEqual((0o600, 0), (stat.S_IMODE(lock.st_mode),
                                      lock.st_size))
        self.assertEqual(0, target.stop())
        self.assertEqual(["log"], os.listdir(target.directory))

    def test_relative_socket(self):
        target = fixture.SimulatedTarget()
        self.addCleanup(target.close)
        target.prepare()
        target.socket = "127.0.0.1:5260"
        target.ready = False
        target.start()
        target.socket = os.path.join(target.directory, "127.0.0.1:5260")
        target.wait_ready()

    def test_socket_in_use(self):
        target = self.target()
        done = self.run_program("-r", target.socket)
        self.assertEqual(234, done.returncode)
        self.assertIn(f"path {target.socket} in use. Specify another.",
                      done.stderr)
        self.assertIn("spdk_app_stop'd on non-zero", done.stderr)
        self.assertEqual("NOTICE", target.call("log_get_level"))

    def test_goes_on_without_a_socket(self):
        # Up to v24.01 nobody can talk to it, and it runs all the same.
        target = fixture.SimulatedTarget(release="v24.01", ready=False)
        self.addCleanup(target.close)
        target.prepare()
        os.mkdir(target.socket)
        target.start()
        while "Unable to start RPC service" not in target.log():
            self.assertIsNone(target.process.poll())
        self.assertEqual(0, target.stop())
        self.assertNotIn("non-zero", target.log())

    def test_stale_socket(self):
        target = self.target()
        target.process.kill()
        target.process.wait()
        self.assertTrue(os.path.exists(target.socket))
        with socket.socket(socket.AF_UNIX) as sock:
            self.assertRaises(ConnectionRefusedError, sock.connect,
                              target.socket)
        target.start()
        self.assertEqual("NOTICE", target.call("log_get_level"))

    def test_no_rpc_server(self):
        target = fixture.SimulatedTarget(arguments=["--no-rpc-server"],
                                         ready=False)
        self.addCleanup(target.close)
        target.start()
        while "Reactor started" not in target.log():
            self.assertIsNone(target.process.poll())
        self.assertFalse(os.path.exists(target.socket))
        target.process.kill()

    def test_vhost_pid_file(self):
        target = self.target("vhost", arguments=["-f", "pid"])
        path = os.path.join(target.directory, "pid")
        with open(path, encoding="ascii") as file:
            self.assertEqual(target.process.pid, int(file.read()))
        target.stop()
        self.assertTrue(os.path.exists(path))

    def test_cores(self):
        target = self.target(arguments=["-m", "[0]"])
        reactors = target.call("framework_get_reactors")
        self.assertEqual(target.process.pid, reactors["pid"])
        self.assertEqual([0], [item["lcore"]
                               for item in reactors["reactors"]])

    def test_options_take_effect(self):
        target = self.target(arguments=[
            "-L", "bdev*", "-e", "bdev,thread:0x1", "-i", "7103",
            "--lcores", "0@0"])
        flags = target.call("log_get_flags")
        self.assertTrue(flags["bdev_nvme"])
        self.assertFalse(flags["nvme"])
        trace = target.call("trace_get_info")
        self.assertEqual("/dev/shm/nvmf_trace.7103",
                         trace["tpoint_shm_path"])
        self.assertEqual(("0xffffffffffffffff", "0x1", "0x0"), tuple(
            trace[name]["tpoint_mask"] for name in
            ("bdev", "thread", "sock")))

    def test_in_the_background(self):
        path = os.path.join(self.directory(), "a.sock")
        with open(os.path.join(os.path.dirname(path), "log"), "wb") as log:
            done = subprocess.run(
                [sys.executable, "-m", "spdk_simulator", "iscsi_tgt",
                 "-b", "-r", path], stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, timeout=_TIMEOUT)
        self.assertEqual(0, done.returncode)
        target = fixture.SimulatedTarget()
        target.socket, target.app = path, "iscsi_tgt"
        target.process = _Daemon()
        target.wait_ready()
        target.call("spdk_kill_instance", sig_name="SIGTERM")

    def test_interrupt_mode(self):
        target = self.target(arguments=["--interrupt-mode"])
        reactors = target.call("framework_get_reactors")["reactors"]
        self.assertTrue(reactors[0]["in_interrupt"])


class Configuration(Case):

    def write(self, text):
        """Write a configuration file."""
        path = os.path.join(self.directory(), "spdk.json")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text if isinstance(text, str) else json.dumps(text))
        return path

    @staticmethod
    def subsystems(**calls):
        """The form that save_config writes."""
        return {"subsystems": [
            {"subsystem": name, "config": [
                {"method": method, "params": params}
                for method, params in items]}
            for name, items in calls.items()]}

    def test_good(self):
        null = ("bdev_null_create", {"name": "N", "num_blocks": 8,
                                     "block_size": 512})
        for text, names in (
                ({}, []), ({"subsystems": []}, []),
                ({"subsystems": [], "extra": 1}, []),
                ('// a comment\n{"subsystems": [] /* more */}', []),
                ({"subsystems": [{"subsystem": "bdev", "config": None}]},
                 []),
                (self.subsystems(nosuch=[("no_such", {})]), []),
                (self.subsystems(bdev=[null]), ["N"]),
                (json.dumps(self.subsystems(bdev=[null])).replace(
                    "[{\"method\"", "[[{\"method\"").replace(
                        "}}]", "}}]]"), ["N"])):
            with self.subTest(text):
                target = self.target(arguments=["-c", self.write(text)])
                found = target.call("bdev_get_bdevs")
                self.assertEqual(names, [bdev["name"] for bdev in found])

    def test_bad(self):
        bad = ("bdev_null_create", {"name": "N", "block_size": 512})
        for text, status, line in (
                ("", 234, "JSON data cannot be empty"),
                ("", 234, "No server listening on provided address: "),
                ("hello", 234, "Parsing JSON configuration failed (-1)"),
                ('{"subsystems": [', 234,
                 "Parsing JSON configuration failed (-2)"),
                ([], 234, "not enclosed in {}."),
                (self.subsystems(bdev=[("no_such_method", {})]), 254,
                 "Method 'no_such_method' was not found"),
                (self.subsystems(bdev=[bad]), 234,
                 "Failed to load subsystems for RUNTIME state with code: "
                 "-22")):
            with self.subTest(text):
                done = self.run_program("-r", "x.sock", "-c",
                                        self.write(text))
                self.assertEqual(status, done.returncode, done.stderr)
                self.assertIn(line, done.stderr)

    def test_errors_ignored(self):
        path = self.write(self.subsystems(bdev=[
            ("no_such_method", {}), ("bdev_null_create", {}),
            ("bdev_null_create", {"name": "N", "num_blocks": 8,
                                  "block_size": 512})]))
        target = self.target(arguments=[
            "-c", path, "--json-ignore-init-errors"])
        self.assertEqual(1, len(target.call("bdev_get_bdevs")))

    def test_waits_for_start_init(self):
        path = self.write(self.subsystems(bdev=[
            ("bdev_set_options", {"bdev_io_pool_size": 1000,
                                  "bdev_io_cache_size": 10}),
            ("bdev_null_create", {"name": "N", "num_blocks": 8,
                                  "block_size": 512})]))
        target = self.target(arguments=["-c", path, "--wait-for-rpc"])
        with self.assertRaises(fixture.CallError) as caught:
            target.call("bdev_get_bdevs")
        self.assertEqual(-1, caught.exception.code)
        target.call("framework_start_init")
        self.assertEqual(1, len(target.call("bdev_get_bdevs")))
        options = target.call("framework_get_config", name="bdev")[0]
        self.assertEqual(1000, options["params"]["bdev_io_pool_size"])

    def save(self, target):
        """Save a target's configuration as rpc.py save_config does."""
        return {"subsystems": [
            {"subsystem": item["subsystem"], "config": target.call(
                "framework_get_config", name=item["subsystem"])}
            for item in target.call("framework_get_subsystems")]}

    def test_saved_and_loaded(self):
        for release in ("v22.01", "v24.01", "v26.05"):
            with self.subTest(release):
                self._saved_and_loaded(release)

    def _saved_and_loaded(self, release):
        target = self.target("spdk_tgt", release=release, poll_ms=0)
        nqn = "nqn.2016-06.io.spdk:cnode1"
        for method, params in (
                *(("bdev_malloc_create", {"name": f"M{number}",
                                          "num_blocks": 8192,
                                          "block_size": 512})
                  for number in range(6)),
                ("bdev_passthru_create", {"name": "P",
                                          "base_bdev_name": "M0"}),
                ("bdev_raid_create", {
                    "name": "R", "raid_level": "raid0",
                    "strip_size_kb": 64, "base_bdevs": ["M1", "M2"]}),
                ("bdev_split_create", {"base_bdev": "M3",
                                       "split_count": 2}),
                ("nvmf_create_transport", {"trtype": "TCP"}),
                ("nvmf_create_subsystem", {"nqn": nqn,
                                           "serial_number": "S1"}),
                ("nvmf_subsystem_add_host", {
                    "nqn": nqn, "host": "nqn.2016-06.io.spdk:h"}),
                ("nvmf_subsystem_add_ns", {
                    "nqn": nqn, "namespace": {"bdev_name": "M4"}}),
                ("vhost_create_blk_controller", {"ctrlr": "b",
                                                 "dev_name": "M5"}),
                ("vhost_create_scsi_controller", {"ctrlr": "s"}),
                ("vhost_scsi_controller_add_target", {
                    "ctrlr": "s", "scsi_target_num": 2,
                    "bdev_name": "P"}),
                ("iscsi_create_portal_group", {"tag": 1, "portals": [
                    {"host": "127.0.0.1", "port": self.port()}]}),
                ("iscsi_create_initiator_group", {
                    "tag": 2, "initiators": ["ANY"],
                    "netmasks": ["ANY"]}),
                ("iscsi_create_target_node", {
                    "name": "disk", "alias_name": "d", "queue_depth": 8,
                    "luns": [{"bdev_name": "R", "lun_id": 0}],
                    "pg_ig_maps": [{"pg_tag": 1, "ig_tag": 2}]})):
            target.call(method, **params)
        saved = self.save(target)
        again = self.target("spdk_tgt", release=release, poll_ms=0,
                            arguments=["-c", self.write(saved)])
        self.assertEqual(saved, self.save(again))

    @staticmethod
    def port():
        """A port that is free."""
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            return str(sock.getsockname()[1])


class Life(Case):

    def test_signals(self):
        for number, status, left in (
                (signal.SIGTERM, 0, False), (signal.SIGINT, 0, False),
                (signal.SIGHUP, -1, True), (signal.SIGUSR1, -10, True),
                (signal.SIGUSR2, -12, True), (signal.SIGKILL, -9, True)):
            with self.subTest(number):
                target = self.target()
                target.process.send_signal(number)
                self.assertEqual(status, target.process.wait(_TIMEOUT))
                for path in (target.socket, target.socket + ".lock"):
                    self.assertEqual(left, os.path.exists(path))

    def test_terminated_before_init(self):
        target = self.target(arguments=["--wait-for-rpc"])
        self.assertEqual(0, target.stop())

    def test_what_waits_is_told(self):
        target = self.target()
        waiting = self.connect(target)
        waiting.send(b'{"jsonrpc":"2.0","id":1,"method":"bdev_get_bdevs",'
                     b'"params":{"name":"x","timeout":60000}}')
        # Answered in a later poll than the one that read the other.
        target.call("log_get_level")
        target.call("log_get_level")
        target.process.terminate()
        reply = json.loads(waiting.line())
        self.assertEqual(
            {"code": -108, "message":
             "Cannot send after transport endpoint shutdown"},
            reply["error"])
        self.assertEqual((b"", "eof"), waiting.end())

    def test_passthru_calls_that_kill(self):
        for params in ({"name": "M", "base_bdev_name": "B"},
                       {"name": "", "base_bdev_name": "B"},
                       {"name": "B", "base_bdev_name": "B"}):
            with self.subTest(params):
                target = self.target()
                for name in ("M", "B"):
                    target.call("bdev_malloc_create", name=name,
                                num_blocks=8, block_size=512)
                self.assertRaises(OSError, target.call,
                                  "bdev_passthru_create", **params)
                self.assertEqual(-signal.SIGABRT,
                                 target.process.wait(_TIMEOUT))
                self.assertIn("unrecoverable spinlock error", target.log())

    def test_vhost_sockets(self):
        target = self.target("vhost")
        target.call("bdev_null_create", name="N", num_blocks=8,
                    block_size=512)
        target.call("vhost_create_blk_controller", ctrlr="b", dev_name="N")
        path = target.call("vhost_get_controllers")[0]["socket"]
        self.assertEqual(os.path.join(target.directory, "b"), path)
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(path)
        target.call("vhost_delete_controller", ctrlr="b")
        self.assertFalse(os.path.exists(path))
        target.call("vhost_create_scsi_controller", ctrlr="s")
        self.assertEqual(0, target.stop())
        self.assertEqual(["log"], os.listdir(target.directory))

    def pipeline(self, connection, method, params):
        """Make a call for each of some parameters, a hundred at a time."""
        for begin in range(0, len(params), 100):
            part = params[begin:begin + 100]
            connection.send(b"".join(json.dumps({
                "jsonrpc": "2.0", "id": 1, "method": method,
                "params": item}).encode() for item in part))
            for _ in part:
                self.assertIn(b"result", connection.line())

    def test_ten_thousand_bdevs(self):
        target = self.target(poll_ms=0)
        connection = self.connect(target)
        names = [f"M{number}" for number in range(10_000)]
        self.pipeline(connection, "bdev_malloc_create", [
            {"name": name, "num_blocks": 8, "block_size": 512}
            for name in names])
        self.pipeline(connection, "bdev_passthru_create", [
            {"name": f"P{name}", "base_bdev_name": name} for name in names])
        self.pipeline(connection, "bdev_get_iostat", [
            {"names": [name]} for name in names])
        config = os.path.join(self.directory(), "spdk.json")
        with open(config, "w", encoding="ascii") as file:
            json.dump({"subsystems": [{
                "subsystem": "bdev", "config": target.call(
                    "framework_get_config", name="bdev")}]}, file)
        again = self.target(poll_ms=0, arguments=["-c", config])
        self.assertEqual(
            sorted(names + [f"P{name}" for name in names]),
            sorted(bdev["name"] for bdev in again.call("bdev_get_bdevs")))
        for method, prefix in (("bdev_passthru_delete", "P"),
                               ("bdev_malloc_delete", "")):
            self.pipeline(connection, method, [
                {"name": prefix + name} for name in reversed(names)])
        self.assertEqual([], target.call("bdev_get_bdevs"))

    def test_iostat_moves(self):
        target = self.target()
        target.call("bdev_malloc_create", name="M", num_blocks=8,
                    block_size=512)
        reads = [target.call("bdev_get_iostat")["bdevs"][0]["num_read_ops"]
                 for _ in range(2)]
        self.assertLess(*reads)


class Faults(Case):

    call = {"jsonrpc": "2.0", "id": 7, "method": "log_get_level"}

    def test_drop_after(self):
        connection = self.connect(self.target(faults=["drop-after=3"]))
        for _ in range(2):
            self.assertEqual("NOTICE",
                             connection.call(self.call)["result"])
        self.assertIsNone(connection.call(self.call))

    def test_close_mid_reply(self):
        connection = self.connect(self.target(faults=["close-mid-reply=2"]))
        self.assertEqual("NOTICE", connection.call(self.call)["result"])
        connection.send(json.dumps(self.call).encode())
        data, end = connection.end()
        self.assertEqual("eof", end)
        self.assertTrue(data.startswith(b'{"jsonrpc":'))
        self.assertRaises(ValueError, json.loads, data)

    def test_delay(self):
        connection = self.connect(self.target(faults=["delay=300"]))
        connection.send(json.dumps(self.call).encode())
        connection.socket.settimeout(0.05)
        self.assertRaises(TimeoutError, connection.line)
        connection.socket.settimeout(20)
        self.assertIn(b"NOTICE", connection.line())

    def test_garbage(self):
        connection = self.connect(self.target(faults=["garbage=2"]))
        self.assertEqual("NOTICE", connection.call(self.call)["result"])
        connection.send(json.dumps(self.call).encode())
        self.assertRaises(ValueError, json.loads, connection.line())

    def test_wrong_id(self):
        connection = self.connect(self.target(faults=["wrong-id"]))
        reply = connection.call(self.call)
        self.assertEqual("NOTICE", reply["result"])
        self.assertNotEqual(7, reply["id"])

    def test_duplicate_reply(self):
        connection = self.connect(self.target(faults=["duplicate-reply"]))
        connection.send(json.dumps(self.call).encode())
        self.assertEqual(connection.line(), connection.line())

    def test_never_answer(self):
        target = self.target(faults=["never-answer=bdev_null_create"])
        connection = self.connect(target)
        connection.send(b'{"jsonrpc":"2.0","id":1,"method":'
                        b'"bdev_null_create","params":{"name":"N",'
                        b'"num_blocks":8,"block_size":512}}')
        connection.send(json.dumps(self.call).encode())
        self.assertEqual(7, json.loads(connection.line())["id"])
        self.assertEqual(1, len(target.call("bdev_get_bdevs")))

    def test_crash_on(self):
        target = self.target(faults=["crash-on=bdev_get_bdevs"])
        self.assertEqual("NOTICE", target.call("log_get_level"))
        self.assertRaises(OSError, target.call, "bdev_get_bdevs")
        self.assertEqual(-signal.SIGABRT, target.process.wait(_TIMEOUT))

    def test_in_batches(self):
        target = self.target(faults=["never-answer=bdev_get_bdevs",
                                     "crash-on=log_get_flags"])
        connection = self.connect(target)
        connection.send(json.dumps([self.call, {
            **self.call, "method": "bdev_get_bdevs"}]).encode())
        self.assertEqual(7, connection.call(self.call)["id"])
        connection.send(json.dumps([self.call, {
            **self.call, "method": "log_get_flags"}]).encode())
        self.assertEqual(-signal.SIGABRT, target.process.wait(_TIMEOUT))

    def test_delayed_to_a_half_closed_connection(self):
        connection = self.connect(self.target(faults=["delay=100"]))
        connection.send(json.dumps(self.call).encode() * 2)
        connection.socket.shutdown(socket.SHUT_WR)
        data, end = connection.end()
        self.assertEqual((2, "eof"), (data.count(b"NOTICE"), end))

    def test_together(self):
        line = b'{"jsonrpc":"2.0","id":7,"result":"NOTICE"}\n'
        half = line[:len(line) // 2]
        for faults, expected in (
                (["close-mid-reply=2", "slow-read=7"], line + half),
                (["close-mid-reply", "delay=20"], half),
                (["drop-after=3", "slow-read=5"], line * 2),
                (["duplicate-reply=1", "drop-after=3"], line * 3),
                (["duplicate-reply=2", "duplicate-reply=3",
                  "close-mid-reply=4"], line * 5 + half)):
            with self.subTest(faults):
                connection = self.connect(self.target(faults=faults))
                connection.send(json.dumps(self.call).encode() * 4)
                # "reset" where something sent was not read any more.
                data, end = connection.end()
                self.assertEqual(expected, data)
                self.assertIn(end, ("eof", "reset"))

    def test_slow_read(self):
        connection = self.connect(self.target(faults=["slow-read=5"]))
        self.assertEqual("NOTICE", connection.call(self.call)["result"])


class Installed(Case):

    def install(self):
        """Lay out an installation."""
        directory = self.directory()
        done = subprocess.run(
            [sys.executable, "-m", "spdk_simulator", "install",
             directory], capture_output=True, text=True, timeout=_TIMEOUT)
        self.assertEqual(0, done.returncode, done.stderr)
        return directory

    def test_programs(self):
        directory = self.install()
        for app in ("nvmf_tgt", "vhost", "iscsi_tgt", "spdk_tgt"):
            path = os.path.join(directory, "build", "bin", app)
            with open(path, encoding="utf-8") as file:
                self.assertEqual("#!" + sys.executable,
                                 file.readline().strip())
            done = subprocess.run([path, "--version"], capture_output=True,
                                  text=True, timeout=_TIMEOUT, cwd="/")
            self.assertEqual("SPDK v26.05 simulated\n", done.stdout)

    def test_environment(self):
        path = os.path.join(self.install(), "build", "bin", "vhost")
        done = subprocess.run(
            [path, "--version"], capture_output=True, text=True,
            timeout=_TIMEOUT,
            env={**os.environ, "CYBORG_SPDK_SIM_VERSION": "v22.01"})
        self.assertEqual("SPDK v22.01 simulated\n", done.stdout)

    def test_runs(self):
        path = os.path.join(self.install(), "build", "bin", "nvmf_tgt")
        target = fixture.SimulatedTarget()
        self.addCleanup(target.close)
        target.prepare()
        target.command = lambda: [path, "-r", target.socket]
        target.start()
        self.assertEqual(["nvmf_tgt"], target.call("nvmf_get_targets"))

    def test_setup_script(self):
        path = os.path.join(self.install(), "scripts", "setup.sh")
        for command in ("status", "config", "bogus"):
            done = subprocess.run([path, command], capture_output=True,
                                  text=True, timeout=_TIMEOUT)
            self.assertEqual((0, ""), (done.returncode, done.stderr))

    def test_bad_directory(self):
        for arguments, status in ((["/proc/none"], 1), ([], 2)):
            done = self.run_program(*arguments, app="install")
            self.assertEqual(status, done.returncode)
            self.assertEqual(1, len(done.stderr.splitlines()))
