# SPDX-License-Identifier: Apache-2.0

"""Names of what this project puts into a target for its own purposes.

None of it is a unit: it is given to nobody and not reported.
"""

#: What a wipe makes, for its time.
WIPE = 'cyborg-wipe-'

#: What carries a unit of another target to a guest of this host.
PLUG = 'cyborg-plug-'


def ours(name: str) -> bool:
    """Whether something in a target was made by us for our own purposes.

    :param name: name of a controller, NQN of a host, IQN of a node, ...
    """
    return WIPE in name or PLUG in name
