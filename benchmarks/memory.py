# SPDX-License-Identifier: Apache-2.0

"""Memory that one large reply takes, in a process of its own.

``python -m benchmarks.memory PATH raw|ours`` prints as JSON: the bytes of
the reply, of the result as Python objects, and of the peak while it was
received and parsed.
"""

import json
import sys
import tracemalloc

from benchmarks import rivals
from cyborg_spdk import rpc


def main():
    path, which = sys.argv[1:]
    if which == 'raw':
        get = rivals.Raw(path).get_bdevs
    else:
        client = rpc.connect(path)
        client.call('spdk_get_version')

        def get():
            return client.call('bdev_get_bdevs', _timeout=600)
    tracemalloc.start()
    result = get()
    held, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    size = len(json.dumps(result, separators=(',', ':')))
    print(json.dumps({'reply': size, 'result': held, 'peak': peak}))


if __name__ == '__main__':
    main()
