# SPDX-License-Identifier: Apache-2.0

"""A simulated target for your own tests.

As a context manager, in any test framework::

    with fixture.SimulatedTarget("nvmf_tgt") as target:
        client = my_client(target.socket)

As a pytest fixture::

    @pytest.fixture
    def spdk():
        with fixture.SimulatedTarget("vhost", release="v24.01") as target:
            yield target

With testtools and fixtures (it has ``setUp()`` and ``cleanUp()``)::

    self.useFixture(fixture.SimulatedTarget("iscsi_tgt"))

The target is a process of its own in a private directory; both are gone
afterwards.
"""

import json
import os
import shutil
import socket
import subprocess  # noqa: S404
import sys
import tempfile
import time

_START_TIMEOUT = 60.0
_STOP_TIMEOUT = 30.0


class CallError(Exception):
    """The target answered with an error object.

    :ivar code: its code.
    :ivar message: its text.
    """

    def __init__(self, code, message):
        super().__init__(code, message)
        self.code = code
        self.message = message


class SimulatedTarget:
    """One simulated target.

    :param app: ``"nvmf_tgt"``, ``"vhost"``, ``"iscsi_tgt"`` or
        ``"spdk_tgt"``.
    :param release: the SPDK release to play, e.g. ``"v24.01"``; None plays
        the newest.
    :param arguments: further arguments of the program, as SPDK takes them.
    :param faults: specifications of ``--fault``.
    :param poll_ms: milliseconds between two polls; None for SPDK's 4.
    :param ready: whether :meth:`start` waits until the target answers.

    :ivar directory: its private directory, also the working directory.
    :ivar socket: path of its RPC socket.
    :ivar process: the :class:`subprocess.Popen`.
    """

    def __init__(self, app="nvmf_tgt", *, release=None, arguments=(),
                 faults=(), poll_ms=None, ready=True):
        self.app = app
        self.release = release
        self.arguments = list(arguments)
        self.faults = list(faults)
        self.poll_ms = poll_ms
        self.ready = ready
        self.directory = None
        self.socket = None
        self.process = None
        self._log = None

    def command(self):
        """The command line that starts the target."""
        command = [sys.executable, "-m", "spdk_simulator", self.app,
                   "-r", self.socket]
        if self.release:
            command += ["--spdk-version", self.release]
        if self.poll_ms is not None:
            command += ["--poll-ms", str(self.poll_ms)]
        for fault in self.faults:
            command += ["--fault", fault]
        return command + self.arguments

    def prepare(self):
        """Make the private directory; :meth:`start` does it otherwise."""
        if self.directory is None:
            self.directory = tempfile.mkdtemp(prefix="spdk-")
            self.socket = os.path.join(self.directory, "spdk.sock")
        return self.directory

    def start(self):
        """Start the target and wait until it answers.

        :returns: self.
        :raises RuntimeError: it ended, or did not answer in a minute.
        """
        self.prepare()
        root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        path = os.pathsep.join(
            [root, *filter(None, [os.environ.get("PYTHONPATH")])])
        self._log = open(  # noqa: SIM115
            os.path.join(self.directory, "log"), "ab")
        self.process = subprocess.Popen(
            self.command(), stdin=subprocess.DEVNULL, stdout=self._log,
            stderr=self._log, cwd=self.directory,
            env={**os.environ, "PYTHONPATH": path})
        if self.ready:
            self.wait_ready()
        return self

    def wait_ready(self, timeout=_START_TIMEOUT):
        """Wait until a call is answered.

        :param timeout: seconds.
        :raises RuntimeError: the target ended, or time is up.
        """
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError(
                    f"{self.app} ended with {self.process.returncode}: "
                    + self.log())
            try:
                self.raw(b'{"jsonrpc":"2.0","id":1,"method":""}', timeout=5)
                return
            except OSError:
                time.sleep(0.01)
        raise RuntimeError(f"{self.app} did not answer: {self.log()}")

    def raw(self, data, timeout=30.0):
        """Send bytes on a new connection and read one line.

        :returns: the line; b'' if the target closed the connection.
        """
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.settimeout(timeout)
            sock.connect(self.socket)
            sock.sendall(data)
            with sock.makefile("rb") as file:
                return file.readline()

    def call(self, method, **params):
        """Call a method.

        :returns: its result.
        :raises CallError: the target answered with an error.
        """
        request = {"jsonrpc": "2.0", "id": 1, "method": method}
        if params:
            request["params"] = params
        line = self.raw(json.dumps(request).encode())
        if not line:
            raise ConnectionError(f"{method}: the target closed")
        reply = json.loads(line)
        if "error" in reply:
            raise CallError(reply["error"]["code"],
                            reply["error"]["message"])
        return reply["result"]

    def log(self):
        """What the target has written so far."""
        with open(os.path.join(self.directory, "log"),
                  encoding="utf-8", errors="replace") as file:
            return file.read()

    def stop(self, timeout=_STOP_TIMEOUT):
        """End the target with SIGTERM.

        :returns: its exit status.
        """
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout)
            except subprocess.TimeoutExpired:
                self.process.kill()
        status = self.process.wait()
        if self._log is not None:
            self._log.close()
            self._log = None
        return status

    def close(self):
        """End the target and remove its directory."""
        if self.process is not None:
            self.stop()
        if self.directory is not None:
            shutil.rmtree(self.directory, ignore_errors=True)
            self.directory = None

    # The protocols of the test frameworks.

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(self, *exc_info):
        self.close()

    def setUp(self):
        """Start, for ``useFixture()``."""
        self.__enter__()

    def cleanUp(self):
        """End, for ``useFixture()``."""
        self.close()

    def getDetails(self):
        """What a failing test may show."""
        return {}
