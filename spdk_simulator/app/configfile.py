# SPDX-License-Identifier: Apache-2.0


"""The configuration file (``-c``), as ``lib/init/json_config.c`` loads it.

It is loaded twice: for the methods of the startup state and, when the
subsystems are initialized, for those of the runtime state. What has to be
done by one call is done before the next one is made.
"""

import errno
import json
import os
import re

from spdk_simulator.app import cmdline
from spdk_simulator.jsonrpc import decode
from spdk_simulator.jsonrpc import registry
from spdk_simulator.jsonrpc import requests as jsonrpc_requests
from spdk_simulator.jsonrpc import wire

_FILE = "json_config.c"
# Bytes of an error that are written to the log.
_ERROR_SIZE = 1023


class Failed(Exception):
    """Loading ended.

    :ivar number: what the real function returns: a negative errno.
    """

    def __init__(self, number):
        super().__init__(number)
        self.number = number


def _array_or_null(value):
    if value is not None and not isinstance(value, list):
        raise decode.Refused
    return value


def _object(value):
    if not isinstance(value, dict):
        raise decode.Refused
    return value


_SUBSYSTEM = [("subsystem", decode.string, False),
              ("config", _array_or_null, False)]
_ENTRY = [("method", decode.string, False), ("params", _object, True)]


def read(process):
    """Read the file that ``-c`` names.

    :returns: bytes, or None without a file.
    :raises cmdline.Exit: with the status of a real target.
    """
    path = process.options.config
    if path is None:
        return None
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as exc:
        early = process.options.release >= 2405
        process.log.errlog(
            "app.c" if early else _FILE, 1047,
            "spdk_app_start" if early else "app_json_config_read",
            f"Read JSON configuration file {path} failed: "
            f"{os.strerror(exc.errno)}")
    if early:
        raise cmdline.Exit(1)
    process.stopped_on_error()
    raise cmdline.Exit(-errno.EINVAL & 0xFF)


_COMMENT = re.compile(
    r'("[^"\\]*(?:\\.[^"\\]*)*"?)|//[^\r\n]*|/\*.*?(?:\*/|\Z)', re.S).sub


def check_old(process):
    """Look at the file that ``-c`` names before v20.10.

    It is in the format of ``lib/conf``: sections, which are not read here.

    :raises cmdline.Exit: with the status of a real target.
    """
    path = process.options.old_config
    if path is None:
        return
    log = process.log
    try:
        with open(path, "rb") as file:
            lines = file.read().splitlines()
    except OSError:
        log.errlog("conf.c", 616, "spdk_conf_read", f"open error: {path}")
        log.errlog("app.c", 369, "spdk_app_setup_conf",
                   f"Could not read config file {path}")
        raise cmdline.Exit(1) from None
    if not any(line.strip().startswith(b"[") for line in lines):
        log.errlog("app.c", 373, "spdk_app_setup_conf",
                   f"Invalid config file {path}")
        raise cmdline.Exit(1)


def _strip_comments(text):
    """Take out ``//`` and ``/* */`` comments, which SPDK allows here."""
    if "/" not in text:
        return text
    return _COMMENT(lambda match: match.group(1) or "", text)


def _elements(value):
    """The elements of an array; null has none.

    An empty one in the first place ends them: its length is taken for the
    array's (``json_first()`` in ``lib/json/json_util.c``).
    """
    return [] if not value or value[0] in ({}, [], "") else value


class _Sink:
    """Takes the reply to one call of the file, or to one batch."""

    def __init__(self):
        self.data = None

    def reply(self, data):
        self.data = data


class Loader:
    """Loads one file.

    :param process: the :class:`.process.Process`.
    :param data: the file (bytes).
    """

    def __init__(self, process, data):
        self.process = process
        self.data = data
        self.value = None
        self.subsystems = None
        self.target = process.target
        self.release = process.options.release
        self.log = process.log
        self.ignoring = process.options.ignore_errors
        self.methods = self.target.methods
        self.dispatcher = process.dispatcher
        if process.options.rpcs_allowed is not None:
            # What is not allowed is known all the same.
            self.methods = registry.Methods(self.target.app, self.release)
            if self.release < 2405:
                self.dispatcher = jsonrpc_requests.Dispatcher(self.target,
                                                              self.methods)

    def load(self):
        """Make the calls that belong to the target's present state.

        :raises Failed: at the first error that is not to be ignored.
        """
        if self.release < 2405 and self.subsystems is not None:
            # Looked at once, and told of once.
            subsystems = self.subsystems
        else:
            subsystems = self._checked()
        self.subsystems = subsystems
        for value in subsystems:
            self._subsystem(value)

    def _checked(self):
        try:
            return self._subsystems()
        except Failed:
            if self.release >= 2405:
                # It was to serve these calls alone.
                self.log.errlog("rpc.c", 210, "spdk_rpc_server_finish",
                                "No server listening on provided address: ")
            raise

    def _subsystem(self, value):
        try:
            subsystem = decode.obj(value, _SUBSYSTEM)
        except decode.Refused:
            self._error(665, "app_json_config_load_subsystem",
                        "Failed to parse subsystem configuration")
            raise Failed(-errno.EINVAL) from None
        for entry in _elements(subsystem["config"]):
            if isinstance(entry, list) and self.release.batches:
                self._batch(entry, subsystem["subsystem"])
            else:
                self._entry(entry, subsystem["subsystem"])

    def _error(self, line, function, text):
        self.log.errlog(_FILE, line, function, text)

    def _subsystems(self):
        """Parse the file.

        :returns: the elements of ``subsystems``.
        """
        if not self.data and self.release >= 2405:
            self._error(709, "parse_json", "JSON data cannot be empty")
            raise Failed(-errno.EINVAL)
        value = self.value
        try:
            if value is None:
                value = self.value = wire.parse(
                    _strip_comments(self.data.decode("latin-1")))[0]
        except (wire.Incomplete, wire.Malformed) as exc:
            number = -2 if isinstance(exc, wire.Incomplete) else -1
            self._error(723, "parse_json",
                        f"Parsing JSON configuration failed ({number})")
            raise Failed(-errno.EINVAL) from None
        if self.release >= 2209 and not (
                isinstance(value, dict) and next(iter(value), None) != ""):
            self._error(739, "json_config_prepare_ctx",
                        "Invalid JSON configuration: not enclosed in {}.")
            raise Failed(-errno.EINVAL)
        found = value.get("subsystems") if isinstance(value, dict) else None
        if isinstance(value, wire.Duplicates) and "subsystems" in value.twice:
            found = None
            if self.release >= 2209:
                self._error(747, "json_config_prepare_ctx",
                            "Failed to parse JSON configuration.")
                raise Failed(-errno.EINVAL)
        if isinstance(found, list):
            found = _elements(found)
            if not found:
                self.log.noticelog(_FILE, 773, "json_config_prepare_ctx",
                                   "'subsystems' configuration is empty")
            return found
        if self.release >= 2209 and "subsystems" in value:
            self._error(744, "json_config_prepare_ctx",
                        "Invalid JSON configuration: 'subsystems' should "
                        "be an array.")
            raise Failed(-errno.EINVAL)
        self.log.warnlog(_FILE, 618, "json_config_prepare_ctx",
                         "No 'subsystems' key JSON configuration file.")
        return []

    def _decoded(self, entry, line, function, text):
        try:
            call = decode.obj(entry, _ENTRY)
        except decode.Refused:
            self._error(line, function, text)
            raise Failed(-errno.EINVAL) from None
        return call

    def _known(self, call, subsystem, batch):
        """Look a method up.

        :returns: its :class:`.registry.Method`; None if it is passed over.
        """
        method = self.methods.table.get(call["method"])
        if method is not None or self.release < 2209:
            return method
        function = "encode_batch_element" if batch else \
            "app_json_config_load_subsystem_config_entry"
        linked = [item["subsystem"]
                  for item in self.target.options.subsystems()]
        if self.release >= 2405:
            if self.ignoring:
                return None
            if subsystem not in linked:
                kind = "batch method" if batch else "method"
                self.log.noticelog(
                    _FILE, 541, function,
                    f"Skipping {kind} '{call['method']}' because its "
                    f"subsystem '{subsystem}' is not linked into this "
                    "application.")
                return None
        if not batch:
            self._error(550, function,
                        f"Method '{call['method']}' was not found")
        raise Failed(-errno.ENOENT)

    def _due(self, method):
        """Tell whether a method's calls are made in the present state."""
        if method is None:
            # Before v22.09 an unknown one was called for the error.
            return True
        if not self.target.initialized:
            return method.startup
        return method.runtime and not (method.startup
                                       and self.release >= 2209)

    def _entry(self, entry, subsystem):
        call = self._decoded(
            entry, 519, "app_json_config_load_subsystem_config_entry",
            "Failed to decode config entry")
        method = self._known(call, subsystem, False)
        if (method is None and self.release >= 2209) \
                or not self._due(method):
            return
        sink = _Sink()
        self._call(call, sink)
        self._answered(sink)

    def _batch(self, entries, subsystem):
        """Make calls together (send_batch_array(), v26.05)."""
        if not entries:
            return
        try:
            calls = self._of_batch(entries, subsystem)
        except Failed:
            calls = []
        if not calls:
            self._error(450, "send_batch_array",
                        "Empty or invalid batch array")
            raise Failed(-errno.EINVAL)
        methods = [method for _, method in calls]
        startup = all(method.startup for method in methods)
        if not startup and not all(method.runtime for method in methods):
            self._error(456, "send_batch_array", "Batch contains methods "
                        "with incompatible state requirements")
            raise Failed(-errno.EINVAL)
        if startup == self.target.initialized:
            return
        sink = _Sink()
        batch = jsonrpc_requests.Batch(sink, len(calls),
                                       self.release.send_limit)
        for call, _ in calls:
            self._call(call, batch)
        self._answered(sink)

    def _of_batch(self, entries, subsystem):
        calls = []
        for entry in entries:
            if not isinstance(entry, dict):
                self._error(348, "encode_batch_element",
                            "Batch array element is not an object")
                if not self.ignoring:
                    raise Failed(-errno.EINVAL)
                continue
            try:
                call = self._decoded(entry, 354, "encode_batch_element",
                                     "Failed to decode batch entry")
            except Failed:
                if not self.ignoring:
                    raise
                continue
            method = self._known(call, subsystem, True)
            if method is not None:
                calls.append((call, method))
        return calls

    def _call(self, call, sink):
        request = jsonrpc_requests.Request(sink)
        request.method = call["method"]
        self.dispatcher.call(request, call.get("params"))

    def _answered(self, sink):
        """Wait for the reply and look at it."""
        self.process.wait_for(sink)
        replies = json.loads(sink.data) if sink.data else {}
        wrong = [reply["error"] for reply in (
            replies if isinstance(replies, list) else [replies])
            if "error" in reply]
        if not wrong:
            return
        blank = " " if self.release < 2605 else ""
        text = json.dumps(wrong[0], indent=2)[:_ERROR_SIZE]
        self._error(169, "log_rpc_error",
                    f"error response:{blank}\n{text}")
        if not self.ignoring:
            raise Failed(-errno.EINVAL)
