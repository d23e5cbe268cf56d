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

"""Command lines of SPDK programs."""

import contextlib
import io
import unittest

from cyborg_spdk.simulator import cmdline
from cyborg_spdk.simulator import faults
from cyborg_spdk.simulator import log


def parse(*argv, app="nvmf_tgt"):
    """Parse a command line.

    :returns: (options or exit status, stdout, stderr).
    """
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out):
        try:
            result = cmdline.parse(app, list(argv), log.Log(err))
        except cmdline.Exit as exc:
            result = exc.code
    return result, out.getvalue(), err.getvalue()


class Options(unittest.TestCase):

    def test_values(self):
        options, _, _ = parse(
            "-r", "x.sock", "-m", "0x3", "-s", "1G", "--wait-for-rpc",
            "--rpcs-allowed=a,b", "--no-huge", "--interrupt-mode",
            "--config", "f.json", "stray", "--spdk-version", "22.01",
            "--poll-ms", "0.5")
        self.assertEqual(("x.sock", "0x3", 1024, True, ["a", "b"], True,
                          True, "f.json", "v22.01", 0.0005),
                         (options.rpc_socket, options.cpumask,
                          options.mem_size, options.wait_for_rpc,
                          options.rpcs_allowed, options.no_huge,
                          options.interrupt_mode, options.config,
                          options.release.tag, options.interval))

    def test_default_socket(self):
        self.assertEqual("/var/tmp/spdk.sock", parse()[0].rpc_socket)

    def test_ends(self):
        for argv, status, where, text in (
                (["--version"], 0, 1, "SPDK v26.05 simulated\n"),
                (["-v", "--spdk-version=v24.01"], 0, 1,
                 "SPDK v24.01 simulated\n"),
                (["--help"], 0, 1, "nvmf_tgt [options]"),
                (["--bogus"], 2, 2,
                 "nvmf_tgt: unrecognized option '--bogus'\n"),
                (["-Z"], 2, 2, "nvmf_tgt: invalid option -- 'Z'\n"),
                (["-S", "x"], 2, 2, "nvmf_tgt: invalid option -- 'S'\n"),
                (["-r"], 2, 2,
                 "nvmf_tgt: option requires an argument -- 'r'\n"),
                (["-s", "abc"], 2, 2,
                 "*ERROR*: invalid memory pool size `-s abc`"),
                (["--spdk-version", "v1"], 2, 2, "no SPDK release 'v1'"),
                (["--poll-ms", "x"], 2, 2, "--poll-ms: 'x'"),
                (["--hugepages", "x"], 2, 2, "say honour or ignore")):
            with self.subTest(argv):
                result = parse(*argv)
                self.assertEqual(status, result[0])
                self.assertIn(text, result[where])

    def test_vhost_has_more(self):
        options, _, _ = parse("-S", "d", "-f", "p", app="vhost")
        self.assertEqual(("d", "p"), (options.vhost_dir, options.pid_file))

    def test_cores(self):
        for text, cores in (("0x1", [0]), ("5", [0, 2]),
                            ("[0,2-4]", [0, 2, 3, 4]), ("0xF", [0, 1, 2, 3]),
                            ("0", []), ("zz", None), ("[5-3]", None),
                            ("", None), ("[a]", None)):
            if cores is None:
                self.assertRaises(ValueError, cmdline.cores, text)
            else:
                self.assertEqual(cores, cmdline.cores(text))


class Faults(unittest.TestCase):

    def test_understood(self):
        found = faults.parse(["drop-after=3", "garbage", "delay=5",
                              "never-answer=a", "never-answer=b"],
                             log.Log(io.StringIO()))
        self.assertEqual({"drop-after": 3, "garbage": 0, "delay": 5},
                         found.numbers)
        self.assertEqual({"never-answer": {"a", "b"}}, found.methods)
        self.assertIsNone(faults.parse([], None))

    def test_refused(self):
        for spec in ("bogus", "drop-after", "delay=x", "crash-on=", "=3"):
            stream = io.StringIO()
            with self.assertRaises(cmdline.Exit) as caught:
                faults.parse([spec], log.Log(stream))
            self.assertEqual(2, caught.exception.code)
            self.assertIn(repr(spec), stream.getvalue())
