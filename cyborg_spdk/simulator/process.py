# Licensed under the Apache License, Version 2.0 (the "License"); you may
# not use this file except in compliance with the License. You may obtain
# a copy of the License at
#
#      http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
# WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
# License for the specific language governing permissions and limitations
# under the License.

"""A simulated target as a process: start, files, signals, end."""

import errno
import fcntl
import json
import os
import resource
import signal
import socket
import struct
import sys

from cyborg_spdk.simulator import cmdline
from cyborg_spdk.simulator import configfile
from cyborg_spdk.simulator import environment
from cyborg_spdk.simulator import errors
from cyborg_spdk.simulator import faults
from cyborg_spdk.simulator import jsonrpc
from cyborg_spdk.simulator import registry
from cyborg_spdk.simulator import server
from cyborg_spdk.simulator import target as targets

# Exit statuses: what a real target's main() returns, modulo 256.
FAILED = 1
NO_RPC = -errno.EINVAL & 0xFF
_PATH_MAX = 107
_CORE_LOCK = "/var/tmp/spdk_cpu_lock_{:03d}"  # noqa: S108


class Process:
    """One run of a simulated program.

    :param app: its name.
    :param options: a :class:`.cmdline.Options`.
    :param log: a :class:`.log.Log`.
    """

    def __init__(self, app, options, log):
        self.app = app
        self.options = options
        self.log = log
        self.socket_path = None
        self.lock_fd = -1
        self.core_locks = {}
        self.trace_file = None
        self.stopping = None
        self.code = 0
        self.config = None
        self.wakeup = (None, None)
        injected = faults.parse(options.faults, log)
        self.target = targets.Target(app, options.release, log, options)
        self.target.process = self
        self.target.methods = registry.Methods(
            app, options.release, options.rpcs_allowed)
        self.dispatcher = jsonrpc.Dispatcher(self.target,
                                             self.target.methods)
        self.server = server.Server(options.release, self.dispatcher,
                                    options.interval, injected)
        self.target.server = self.server

    def run(self):
        """Run until a signal comes.

        :returns: the exit status.
        """
        try:
            environment.start(self)
            self._signals()
            self.claim_cores()
            self._trace()
            return self._serve(configfile.read(self))
        except cmdline.Exit as exc:
            return exc.code
        finally:
            self._clean_up()

    def _serve(self, config):
        self._pid_file()
        if config is not None:
            self.config = configfile.Loader(self, config)
        waiting = self.options.wait_for_rpc
        if self.options.release >= 2405:
            self._load()
        elif config is not None:
            # Waited for no call, and listened when all was done.
            self.initialize()
            waiting = False
        if self.options.rpc_server:
            self._listen()
        self.server.serving = waiting
        if not waiting and not self.target.initialized:
            self.initialize()
        self.server.serving = True
        self.server.run()
        self._finish()
        return self.code

    def _load(self):
        """Load what the configuration file has for the present state.

        :raises cmdline.Exit: it failed, with the status of a real target.
        """
        if self.config is None:
            return
        try:
            self.config.load()
        except configfile.Failed as exc:
            if self.target.initialized and self.options.release >= 2405:
                self.log.errlog(
                    "app.c", 429, "app_start_application",
                    "Failed to load subsystems for RUNTIME state with "
                    f"code: {exc.number}")
            self.stopped_on_error()
            raise cmdline.Exit(exc.number & 0xFF) from None

    def initialize(self):
        """Leave the startup state, as the configuration file says.

        :raises cmdline.Exit: the subsystems could not be initialized.
        """
        release = self.options.release
        if release < 2405:
            self._load()
        if not self.target.finish_init():
            if release >= 2405:
                self.log.errlog("app.c", 445, "app_subsystem_init_done",
                                "Subsystem initialization failed with "
                                f"code: {-errno.EINVAL}")
            self.stopped_on_error()
            raise cmdline.Exit(NO_RPC)
        self._load()

    # Files.

    def _listen(self):
        path = self.options.rpc_socket
        log = self.log
        if len(os.fsencode(path)) > _PATH_MAX:
            log.errlog("rpc.c", 158, "spdk_rpc_server_listen",
                      "RPC Listen address Unix socket path too long")
            self._no_rpc(path)
        try:
            fd = os.open(path + ".lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as exc:
            log.errlog("rpc.c", 179, "spdk_rpc_server_listen",
                      f"Cannot open lock file {path}.lock: "
                      f"{os.strerror(exc.errno)}")
            self._no_rpc(path)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(fd)
            log.errlog("rpc.c", 186, "spdk_rpc_server_listen",
                      f"RPC Unix domain socket path {path} in use. "
                      "Specify another.")
            self._no_rpc(path)
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            if not os.path.isdir(path) and os.path.lexists(path):
                os.unlink(path)
            sock.bind(path)
        except OSError as exc:
            sock.close()
            os.close(fd)
            os.unlink(path + ".lock")
            log.errlog("jsonrpc_server_tcp.c", 61,
                      "spdk_jsonrpc_server_listen",
                      "could not bind JSON-RPC server: "
                      f"{os.strerror(exc.errno)}")
            log.errlog("rpc.c", 202, "spdk_rpc_server_listen",
                      "spdk_jsonrpc_server_listen() failed")
            self._no_rpc(path)
        self.lock_fd = fd
        self.socket_path = path
        self.server.listen(sock)

    def _no_rpc(self, path):
        self.log.errlog("rpc.c", 168, "spdk_rpc_initialize",
                       f"Unable to start RPC service at {path}")
        self.stopped_on_error()
        raise cmdline.Exit(NO_RPC)

    def stopped_on_error(self):
        """Write the line that precedes an end with a status."""
        self.log.warnlog("app.c", 1138, "spdk_app_stop",
                         "spdk_app_stop'd on non-zero")

    def claim_cores(self):
        """Lock the cores, where the host's resources are honoured."""
        if self.options.hugepages != "honour" or not self.options.cpu_locks:
            return
        for core in self.options.cores:
            if core in self.core_locks:
                continue
            path = _CORE_LOCK.format(core)
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW,
                         0o600)
            try:
                fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                pid = os.read(fd, 4)
                owner = struct.unpack("i", pid)[0] if len(pid) == 4 else 0
                os.close(fd)
                self.log.errlog(
                    "app.c", 855, "claim_cpu_cores",
                    f"Cannot create lock on core {core}, probably process "
                    f"{owner} has claimed it.")
                self.log.errlog(
                    "app.c", 986, "spdk_app_start",
                    "Unable to acquire lock on assigned core mask - "
                    "exiting.")
                raise cmdline.Exit(FAILED) from None
            os.write(fd, struct.pack("i", os.getpid()))
            self.core_locks[core] = fd

    def release_cores(self):
        """Give up the locks on the cores."""
        for core, fd in self.core_locks.items():
            os.unlink(_CORE_LOCK.format(core))
            os.close(fd)
        self.core_locks.clear()

    def _trace(self):
        if self.options.hugepages != "honour":
            return
        path = (f"/dev/shm/{self.target.trace_name}"  # noqa: S108
                f"_trace.pid{os.getpid()}")
        try:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError:
            return
        os.ftruncate(fd, 3_400_000)
        os.close(fd)
        self.trace_file = path

    def _pid_file(self):
        if self.options.pid_file:
            with open(self.options.pid_file, "w", encoding="ascii") as file:
                file.write(f"{os.getpid()}\n")

    def _clean_up(self):
        if self.socket_path:
            for path in (self.socket_path, self.socket_path + ".lock"):
                try:
                    os.unlink(path)
                except FileNotFoundError:
                    continue
            os.close(self.lock_fd)
            self.socket_path = None
        self.target.shut_down()
        self.server.close()
        self.release_cores()
        if self.trace_file:
            os.unlink(self.trace_file)
        if self.options.pid_file and os.path.exists(self.options.pid_file):
            os.unlink(self.options.pid_file)

    # Signals.

    def _signals(self):
        reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self.wakeup = (reader, writer)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        self.server.watch(reader)

    def _on_signal(self, number, frame):
        self.stopping = number
        self.server.running = False

    def end(self, code):
        """End with a status when what is answered is sent."""
        self.code = code
        self.target.post(self._on_signal, None, None)

    def kill_by_rpc(self, number, request):
        """End as by a signal, asked for by a call.

        Up to v22.01 the reply never got out, from v24.05 on it always
        does; in between it was a race that vhost and iscsi_tgt mostly won.
        """
        release = self.target.release
        if release >= 2405 or (release >= 2301 and self.app in
                               ("vhost", "iscsi_tgt")):
            request.result(True)
        self.target.post(self._on_signal, number, None)

    def _finish(self):
        """Answer what waits and send what is finished."""
        self.target.shut_down()
        for connection in list(self.server.connections):
            if self.target.release >= 2205 or connection.queue:
                connection.send()

    def crash(self, number=signal.SIGSEGV):
        """End as a real target that a signal kills."""
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        signal.signal(number, signal.SIG_DFL)
        sys.stderr.flush()
        os.kill(os.getpid(), number)

    def abort(self, text):
        """End as a real target that calls abort()."""
        self.log.errlog("thread.c", 3008, "spdk_spin_lock",
                       f"unrecoverable spinlock error {text}")
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        sys.stderr.flush()
        os.abort()


def error_text(exc):
    """An error object as the log shows it."""
    return json.dumps({"code": exc.code, "message": exc.message}, indent=2)


__all__ = ["FAILED", "NO_RPC", "Process", "error_text", "errors"]
