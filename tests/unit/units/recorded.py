# SPDX-License-Identifier: Apache-2.0

"""Recorded replies of real targets, for the tests of the drivers."""

import json
import os

RELEASES = ('v22.01', 'v24.01', 'v26.05')


def load(release):
    """Replies by method of one release.

    The recorded list of bdevs is from another run than the lists of what
    stands on them: the bdevs that it lacks are like its first one.
    """
    path = os.path.join(os.path.dirname(__file__), 'replies',
                        f'{release}.json')
    with open(path) as source:
        replies = json.load(source)
    bdevs = replies['bdev_get_bdevs']
    have = {bdev['name'] for bdev in bdevs}
    bdevs += [{**bdevs[0], 'name': name, 'aliases': []}
              for name in ('Malloc1', 'Malloc2', 'Malloc3')
              if name not in have]
    return replies
