# SPDX-License-Identifier: Apache-2.0

"""The NVMe-oF target: subsystems, namespaces, listeners, hosts, transports."""
