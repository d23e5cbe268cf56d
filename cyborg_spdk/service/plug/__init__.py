# SPDX-License-Identifier: Apache-2.0

"""Units into guests: what Placement gives an instance is plugged into it.

Nova passes over the handles that Cyborg has for SPDK's units, so a disk is
plugged into the running domain by way of libvirt, and taken out of it when
the unit is no longer the instance's. Only live: Nova writes the persistent
definition of a domain anew at each start.
"""
