# SPDX-License-Identifier: Apache-2.0

"""The host service, ``cyborg-spdk serve``: its duties beside the agent.

A duty is something that is done again and again: supervise a target, repair
it, plug units into guests. What a duty knows is on disk, in the targets, in
Placement or in libvirt, so that the service can be ended at any moment.
"""
