#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write every table of facts about SPDK that is read from its source."""

import argparse
import json
import pathlib
import sys

from spdk_source import checkout
from spdk_source import client_table
from spdk_source import history
from spdk_source import output
from spdk_source import simulator_table

ROOT = pathlib.Path(__file__).resolve().parent.parent
#: Where each table is, and what makes it.
TABLES = {'cyborg_spdk/rpc/protocol/methods.json': client_table.methods,
          'cyborg_spdk/rpc/protocol/parameters.json':
              client_table.parameters,
          'spdk_simulator/data/parameters.json': simulator_table.make}


def main(argv: list[str]) -> int:
    """Write or check the tables.

    :param argv: the arguments.
    :returns: exit status; 1 if a table is not what SPDK's source says.
    """
    parser = argparse.ArgumentParser(description=__doc__, epilog=(
        'CHECKOUT needs the tags of all releases, and the commit that '
        'by_hand.py names for the one that is not tagged yet.'))
    parser.add_argument('checkout', metavar='CHECKOUT',
                        help="a git clone of SPDK's repository")
    parser.add_argument('--check', action='store_true',
                        help='write nothing, say what differs')
    args = parser.parse_args(argv)
    releases = history.read(checkout.Checkout(args.checkout))
    status = 0
    for name, make in TABLES.items():
        path = ROOT / name
        made = output.text(make(releases))
        if not args.check:
            path.write_text(made, encoding='ascii')
        elif not _is_same(path, made):
            status = 1
    return status


def _is_same(path: pathlib.Path, made: str) -> bool:
    there = path.read_text(encoding='ascii')
    for line in output.differences(json.loads(there), json.loads(made)):
        print(f'{path.relative_to(ROOT)}: {line}')
    return there == made


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
