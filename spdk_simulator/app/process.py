# SPDX-License-Identifier: Apache-2.0

"""A simulated target as a process: start, files, signals, end."""

import errno
import json
import os
import resource
import signal
import socket
import sys

from spdk_simulator.app import cmdline
from spdk_simulator.app import configfile
from spdk_simulator.app import cores
from spdk_simulator.app import environment
from spdk_simulator.app import faults
from spdk_simulator import errors
from spdk_simulator.jsonrpc import listen as jsonrpc_listen
from spdk_simulator.jsonrpc import registry
from spdk_simulator.jsonrpc import requests as jsonrpc_requests
from spdk_simulator.jsonrpc import server
from spdk_simulator.target import target as targets
from spdk_simulator.target import tracing

# Exit statuses: what a real target's main() returns, modulo 256.
FAILED = 1
NO_RPC = -errno.EINVAL & 0xFF


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
        self.cores = cores.Locks(options, log)
        self.trace_file = None
        self.stopping = None
        # Whether spdk_app_start() was called.
        self.began = False
        self.code = 0
        self.wakeup = (None, None)
        injected = faults.parse(options.faults, log)
        self.target = targets.Target(app, options.release, log, options)
        self.target.process = self
        self.target.methods = registry.Methods(
            app, options.release, options.rpcs_allowed)
        self.target.options.log_flags.update(
            dict.fromkeys(options.log_flags, True))
        self.config = None
        self.dispatcher = jsonrpc_requests.Dispatcher(
            self.target, self.target.methods, injected)
        self.server = server.Server(options.release, self.dispatcher,
                                    options.interval, injected)
        self.target.server = self.server

    def run(self):
        """Run until a signal comes.

        :returns: the exit status.
        """
        try:
            status = self._start()
        except cmdline.Exit as exc:
            status = exc.code
        finally:
            self._clean_up()
        if status and self.app == "iscsi_tgt":
            self.log.errlog("iscsi_tgt.c", 88, "main", "Start iscsi target "
                            "daemon:  spdk_app_start() retn non-zero")
        if self.began:
            self.cores.end()
        return status

    def _start(self):
        options, log = self.options, self.log
        if options.background:
            self._background()
        if self.app == "vhost":
            self._pid_file()
        self.began = True
        if options.wait_for_rpc and options.rpc_socket is None:
            log.errlog("app.c", 891, "spdk_app_start", "Cannot use "
                       "'--wait-for-rpc' if no RPC server is going to be "
                       "started.")
            raise cmdline.Exit(FAILED)
        configfile.check_old(self)
        environment.start(self)
        self.cores.start()
        log.noticelog("app.c", 1022, "spdk_app_start",
                      f"Total cores available: {len(options.cores)}")
        tracing.start(self)
        self._signals()
        late = options.release < 2405
        data = None if late else configfile.read(self)
        self._reactors()
        if late:
            data = configfile.read(self)
        if data is not None:
            self.config = configfile.Loader(self, data)
        if late:
            self._start_late()
        else:
            self._start_early()
        self.server.run()
        self._finish()
        return self.code

    def _start_early(self):
        """Listen, then initialize: from v24.05 on."""
        self._load()
        if self.options.rpc_socket is not None:
            self._listen()
        if not self.options.wait_for_rpc:
            self.initialize()
        self.server.serving = True

    def _start_late(self):
        """Initialize, then listen; a configuration does not wait."""
        if self.config is not None or not self.options.wait_for_rpc:
            self._load()
            self.initialize()
        self._listen()
        self.server.serving = True

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
        if not self.target.finish_init():
            if self.options.release >= 2405:
                self.log.errlog("app.c", 445, "app_subsystem_init_done",
                                "Subsystem initialization failed with "
                                f"code: {-errno.EINVAL}")
            self.stopped_on_error()
            raise cmdline.Exit(NO_RPC)
        self._load()
        self.config = None
        if self.app == "spdk_tgt":
            self._pid_file()

    def wait_for(self, sink):
        """Work until a call of the configuration is answered.

        :param sink: has ``data``, None until then.
        :raises cmdline.Exit: a signal came first.
        """
        self.server.run_messages()
        while sink.data is None:
            self.server.wait()
            if self.stopping:
                raise cmdline.Exit(0)

    def _reactors(self):
        # The main one begins when the others are on their way.
        for core in self.options.cores[1:] + self.options.cores[:1]:
            self.log.noticelog("reactor.c", 1008, "reactor_run",
                               f"Reactor started on core {core}")
        try:
            with open("/proc/self/comm", "w", encoding="ascii") as file:
                file.write(f"reactor_{self.options.cores[0]}")
        except OSError:
            return

    def _background(self):
        """Go on as a daemon, as ``daemon(1, 0)`` does."""
        if os.fork():
            os._exit(0)
        os.setsid()
        null = os.open(os.devnull, os.O_RDWR)
        for number in range(3):
            os.dup2(null, number)
        os.close(null)
        self.target.pid = os.getpid()

    # Files.

    def _listen(self):
        path, log = self.options.rpc_socket, self.log
        try:
            sock, fd = jsonrpc_listen.listen(self.target.release, path, log)
        except jsonrpc_listen.Failed:
            log.errlog("rpc.c", 168, "spdk_rpc_initialize",
                       f"Unable to start RPC service at {path}")
            if self.target.release >= 2405:
                self.stopped_on_error()
                raise cmdline.Exit(NO_RPC) from None
            # Earlier ones go on, and nobody can talk to them.
            return
        self.lock_fd = fd
        if sock.family == socket.AF_UNIX:
            self.socket_path = path
        self.server.listen(sock)

    def stopped_on_error(self):
        """Write the line that precedes an end with a status."""
        self.log.warnlog("app.c", 1138, "spdk_app_stop",
                         "spdk_app_stop'd on non-zero")

    def _pid_file(self):
        path = self.options.pid_file
        if path is None:
            return
        try:
            with open(path, "w", encoding="ascii") as file:
                file.write(f"{os.getpid()}\n")
        except OSError as exc:
            self.log.raw(f"Couldn't create pid file '{path}': "
                         f"{os.strerror(exc.errno)}")
            raise cmdline.Exit(FAILED) from None

    def _clean_up(self):
        if self.socket_path:
            paths = [self.socket_path]
            if self.lock_fd >= 0:
                paths.append(self.socket_path + ".lock")
                os.close(self.lock_fd)
            for path in paths:
                try:
                    os.unlink(path)
                except FileNotFoundError:
                    continue
            self.socket_path = None
        self.target.shut_down()
        self.server.close()
        self.cores.release()
        if self.trace_file:
            os.unlink(self.trace_file)

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
