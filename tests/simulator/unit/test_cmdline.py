# SPDX-License-Identifier: Apache-2.0

"""Command lines of SPDK programs."""

import contextlib
import io
import unittest

from spdk_simulator.app import cmdline
from spdk_simulator.app import eal
from spdk_simulator.app import faults
from spdk_simulator.jsonrpc import ctext
from spdk_simulator import log


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
            "--config", "f.json", "stray", "--spdk-version", "24.05",
            "--poll-ms", "0.5")
        self.assertEqual(("x.sock", "0x3", 1024, True, ["a", "b"], True,
                          True, "f.json", "v24.05", 0.0005),
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
                (["--help", "--bogus"], 0, 1, "nvmf_tgt [options]"),
                (["--no=1"], 2, 2, "option '--no=1' is ambiguous; "
                 "possibilities: '--no-pci' '--no-huge' '--no-rpc-server'"),
                (["--no-huge=1"], 2, 2, "doesn't allow an argument"),
                (["--num-trace-entries=3"], 2, 2, "must be power of 2"),
                (["-m", "1", "--lcores", "0"], 2, 2, "simultaneously"),
                (["-B", "0:1.0", "-A", "0:1.0"], 2, 2, "at the same time"),
                (["-L", "nosuch"], 2, 2, "unknown flag: nosuch"),
                (["-W", "0:1.0", "--spdk-version=v22.01", "-Z"], 2, 2,
                 "-W/--pci-whitelist is deprecated."),
                (["-c", "f", "--wait-for-rpc", "--spdk-version=v24.01"], 2,
                 2, "can't be used together with --wait-for-rpc."),
                (["--interrupt-mode", "--spdk-version=v22.01"], 2, 2,
                 "unrecognized option '--interrupt-mode'"),
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


class Cores(unittest.TestCase):

    def check(self, read, *cases):
        for text, cores in cases:
            with self.subTest(text):
                if cores is None:
                    self.assertRaises(eal.Refused, read, text)
                else:
                    self.assertEqual(cores, read(text))

    def test_masks(self):
        self.check(eal.mask, ("0x1", [0]), ("5", [0, 2]), (" 0XF ",
                   [0, 1, 2, 3]), ("0", None), ("", None), ("0x", None),
                   ("zz", None), ("1,1", None))

    def test_lists(self):
        self.check(eal.core_list, ("0", [0]), ("0,2-4", [0, 2, 3, 4]),
                   ("1,0,1", [0, 1]), (" 0 ", [0]), ("0,,1", [0, 1]),
                   ("5-3", None), ("a", None), ("", None), ("0-", None),
                   ("0,", None), ("-1", None))

    def test_lcores(self):
        self.check(eal.lcores, ("0", {0: [0]}), ("0,1", {0: [0], 1: [1]}),
                   ("1@0", {1: [0]}), ("(0-1)@3", {0: [3], 1: [3]}),
                   ("(0,2)", {0: [0, 2], 2: [0, 2]}), ("", None),
                   ("x", None), ("(0", None), ("0@", None), ("0,", None))


class Text(unittest.TestCase):

    def test_numbers(self):
        for text, base, number in (
                ("5", 0, 5), ("0x10", 0, 16), ("010", 0, 8), ("09", 0, -22),
                ("", 0, 0), ("x", 0, -22), ("-1", 0, -34), ("5 ", 10, -22),
                (" 5", 10, 5), ("0x10", 10, -22), ("9" * 30, 0, -34)):
            with self.subTest(text, base=base):
                self.assertEqual(number, ctext.strtol(text, base))

    def test_capacities(self):
        for text, size in (("256", 256), ("1G", 1024), ("2048K", 2),
                           ("256MB", 256), (" 1", 1), ("0", 0), ("", None),
                           ("1x", None), ("1.5", None), ("256 ", None),
                           ("0x100", None), ("-1", 2 ** 64 - 1)):
            with self.subTest(text):
                self.assertEqual(size, ctext.capacity(text))

    def test_pci(self):
        for text in ("0000:00:01.0", "00:01.0", "00:01", "0.1.2", "1:2"):
            self.assertTrue(ctext.is_pci(text), text)
        for text in ("", "x", "0000:00:20.0", "00:01.8", "5"):
            self.assertFalse(ctext.is_pci(text), text)

    def test_flags(self):
        flags = ("bdev", "bdev_nvme", "nvme")
        for text, found in (("ALL", flags), ("bdev*", flags[:2]),
                            ("NVME", flags[2:]), ("x", ())):
            self.assertEqual(list(found), ctext.matching(text, flags))


class Faults(unittest.TestCase):

    def test_understood(self):
        found = faults.parse(["drop-after=3", "garbage", "delay=5",
                              "wrong-id=2", "wrong-id=4", "slow-read",
                              "never-answer=a", "never-answer=b"],
                             log.Log(io.StringIO()))
        self.assertEqual({"drop-after": [3], "garbage": ["every"],
                          "delay": [5], "wrong-id": [2, 4],
                          "slow-read": [64]}, found.numbers)
        self.assertEqual({"never-answer": {"a", "b"}}, found.methods)
        self.assertIsNone(faults.parse([], None))

    def test_refused(self):
        for spec in ("bogus", "drop-after", "delay=x", "crash-on=", "=3",
                     "drop-after=0", "close-mid-reply=0", "garbage=",
                     "garbage=-1", "slow-read=0", "delay=\u0663", ""):
            stream = io.StringIO()
            with self.assertRaises(cmdline.Exit) as caught:
                faults.parse([spec], log.Log(stream))
            self.assertEqual(2, caught.exception.code)
            self.assertIn(repr(spec), stream.getvalue())
