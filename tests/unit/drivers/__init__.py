# SPDX-License-Identifier: Apache-2.0

# First of all that is Cyborg's: since 16.0.0 it chooses the threads of
# oslo.service, once for the process.
import cyborg.cmd  # noqa: F401
