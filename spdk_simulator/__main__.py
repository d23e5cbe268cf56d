# SPDX-License-Identifier: Apache-2.0

"""``python -m spdk_simulator``."""

import sys

from spdk_simulator.app import program

sys.exit(program.main(sys.argv[1:]))
