# SPDX-License-Identifier: Apache-2.0

"""What ``/proc/meminfo`` says."""

import os
import re


def default_size_kb(root: str = '/') -> int | None:
    """The kernel's default size of huge pages in KiB; None without any."""
    try:
        with open(os.path.join(root, 'proc/meminfo')) as stream:
            match = re.search(r'^Hugepagesize:\s*(\d+) kB', stream.read(),
                              re.MULTILINE)
    except OSError:
        return None
    return int(match[1]) if match else None


def available_kb(root: str = '/') -> int:
    """Memory that the kernel could give, in KiB."""
    with open(os.path.join(root, 'proc/meminfo')) as stream:
        match = re.search(r'^MemAvailable:\s*(\d+) kB', stream.read(),
                          re.MULTILINE)
    return int(match[1]) if match else 0
