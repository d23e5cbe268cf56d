# SPDX-License-Identifier: Apache-2.0

"""The machine: huge pages, cores, PCI devices, disks, processes, SPDK."""
