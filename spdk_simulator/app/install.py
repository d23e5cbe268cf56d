# SPDX-License-Identifier: Apache-2.0

"""Lays out a directory that looks like an SPDK installation."""

import os
import sys

from spdk_simulator.target import target

_PROGRAM = """\
#!{python}
# A simulated SPDK program; see the documentation of spdk_simulator.
import sys

sys.path[:0] = {path!r}

from spdk_simulator.app import program  # noqa: E402

sys.exit(program.run({app!r}, sys.argv[1:]))
"""

_SETUP = """\
#!/bin/sh
# Stand-in for SPDK's scripts/setup.sh: it shows, and changes nothing.
case "${{1:-config}}" in
config|reset|cleanup)
    ;;
status)
    echo "Hugepages"
    echo "node     hugesize     free /  total"
    for size in /sys/kernel/mm/hugepages/hugepages-*kB; do
        [ -d "$size" ] || continue
        echo "node0   ${{size##*-}}   $(cat "$size/free_hugepages") /" \\
            "$(cat "$size/nr_hugepages")"
    done
    echo
    echo "Type                      BDF             Vendor Device NUMA" \\
        "   Driver           Device     Block devices"
    ;;
*)
    echo "usage: $0 [config|status|reset|cleanup|help]"
    ;;
esac
exit 0
"""


def _write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    temporary = f"{path}.{os.getpid()}"
    with open(temporary, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(temporary, 0o755)  # noqa: S103  # nosec B103
    os.replace(temporary, path)


def lay_out(directory):
    """Write the programs into a directory.

    :param directory: is made if it is not there.
    :returns: list of the paths written.
    """
    directory = os.path.abspath(directory)
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    root = os.path.dirname(package)
    # -P and -I leave the root out; an installed package is found anyway.
    paths = []
    for app in target.PROGRAMS:
        path = os.path.join(directory, "build", "bin", app)
        _write(path, _PROGRAM.format(python=sys.executable, path=[root],
                                     app=app))
        paths.append(path)
    path = os.path.join(directory, "scripts", "setup.sh")
    _write(path, _SETUP.format())
    paths.append(path)
    return paths


def main(argv):
    """``install DIRECTORY``.

    :returns: the exit status.
    """
    if len(argv) != 1 or argv[0].startswith("-"):
        print("usage: python -m spdk_simulator install DIRECTORY",
              file=sys.stderr)
        return 2
    try:
        paths = lay_out(argv[0])
    except OSError as exc:
        print(f"simulator: {argv[0]!r}: {exc.strerror}; name a directory "
              "that you may write to", file=sys.stderr)
        return 1
    for path in paths:
        print(path)
    return 0
