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

"""``-c FILE``: calls to be made at the start (``lib/init/json_config.c``)."""

import errno
import json
import os

from cyborg_spdk.simulator import cmdline
from cyborg_spdk.simulator import errors
from cyborg_spdk.simulator import jsonrpc
from cyborg_spdk.simulator import wire

_INVALID = -errno.EINVAL & 0xFF
_NOT_FOUND = -errno.ENOENT & 0xFF


def read(process):
    """Read the file that ``-c`` names.

    :returns: list of calls (dicts), or None without a file.
    :raises cmdline.Exit: with the status of a real target.
    """
    path = process.options.config
    if path is None:
        return None
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError as exc:
        process.log.errlog(
            "app.c", 1047, "spdk_app_start",
            f"Read JSON configuration file {path} failed: "
            f"{os.strerror(exc.errno)}")
        raise cmdline.Exit(1) from None
    return data


def _parse(process, data):
    """Turn the file into (subsystem, calls) pairs.

    :raises cmdline.Exit: 234 if it cannot be read.
    """
    log = process.log
    if not data.strip():
        log.errlog("json_config.c", 709, "parse_json",
                  "JSON data cannot be empty")
        _fail(process, _INVALID)
    text = _strip_comments(data.decode("latin-1"))
    try:
        value, _, _ = wire.parse(text)
    except wire.Incomplete:
        log.errlog("json_config.c", 723, "parse_json",
                  "Parsing JSON configuration failed (-2)")
        _fail(process, _INVALID)
    except wire.Malformed:
        log.errlog("json_config.c", 723, "parse_json",
                  "Parsing JSON configuration failed (-1)")
        _fail(process, _INVALID)
    if not isinstance(value, dict):
        log.errlog("json_config.c", 739, "parse_json",
                  "Invalid JSON configuration: not enclosed in {}.")
        _fail(process, _INVALID)
    if "subsystems" not in value:
        log.warnlog("json_config.c", 618, "spdk_subsystem_load_config",
                    "No 'subsystems' key JSON configuration file.")
        return []
    if not isinstance(value["subsystems"], list):
        log.errlog("json_config.c", 744, "parse_json",
                  "Invalid JSON configuration: 'subsystems' should be an "
                  "array.")
        _fail(process, _INVALID)
    return [item for item in value["subsystems"] if isinstance(item, dict)]


def _strip_comments(text):
    """Take out ``//`` and ``/* */`` comments, which SPDK allows here."""
    result = []
    pos = 0
    while pos < len(text):
        char = text[pos]
        if char == '"':
            end = pos + 1
            while end < len(text) and text[end] != '"':
                end += 2 if text[end] == "\\" else 1
            result.append(text[pos:end + 1])
            pos = end + 1
        elif text.startswith("//", pos):
            end = text.find("\n", pos)
            pos = len(text) if end < 0 else end
        elif text.startswith("/*", pos):
            end = text.find("*/", pos)
            pos = len(text) if end < 0 else end + 2
        else:
            result.append(char)
            pos += 1
    return "".join(result)


class _Sink:
    """Takes the reply to one call of the file."""

    def __init__(self):
        self.data = None

    def reply(self, data):
        self.data = data


def run(process, data, startup):
    """Make the calls of the file that belong to a state.

    :param data: what :func:`read` returned.
    :param startup: whether the framework is not initialized yet.
    :raises cmdline.Exit: if a call fails and that is not to be ignored.
    """
    if data is None:
        return
    if not hasattr(process, "parsed_config"):
        process.parsed_config = _parse(process, data)
    known = [item["subsystem"]
             for item in process.target.options.subsystems()]
    for subsystem in sorted(
            process.parsed_config,
            key=lambda item: known.index(item["subsystem"])
            if item.get("subsystem") in known else -1):
        if subsystem.get("subsystem") not in known:
            continue
        for item in subsystem.get("config") or ():
            for call in item if isinstance(item, list) else [item]:
                _call(process, call, startup)


def _call(process, call, startup):
    log = process.log
    name = call.get("method") if isinstance(call, dict) else None
    methods = process.target.methods.table
    method = methods.get(name)
    if method is None:
        log.errlog("json_config.c", 550,
                  "app_json_config_load_subsystem_config_entry",
                  f"Method '{name}' was not found")
        if process.options.ignore_errors:
            return
        _fail(process, _NOT_FOUND)
    if startup and not method.startup:
        return
    if not startup and not method.runtime:
        return
    if not startup and method.startup:
        # Made already, in the startup state.
        return
    sink = _Sink()
    request = jsonrpc.Request(sink)
    request.method = name
    process.dispatcher.call(request, call.get("params"))
    process.server.run_messages()
    reply = json.loads(sink.data) if sink.data else {}
    if "error" not in reply:
        return
    log.errlog("json_config.c", 169, "log_rpc_error", "error response:")
    log.raw(json.dumps(reply["error"], indent=2))
    if not process.options.ignore_errors:
        _fail(process, _INVALID)


def _fail(process, code):
    state = "RUNTIME" if process.target.initialized else "STARTUP"
    number = code - 256
    process.log.errlog(
        "app.c", 429, "app_start_application",
        f"Failed to load subsystems for {state} state with code: {number}")
    process.stopped_on_error()
    raise cmdline.Exit(code)


__all__ = ["errors", "read", "run"]
