# SPDX-License-Identifier: Apache-2.0

"""From an address to a connected socket: UNIX, TCP, OpenSSH."""
