# SPDX-License-Identifier: Apache-2.0

"""What the measurements were made on, in general terms."""

import os
import platform


def describe():
    """One line: cores, kind of CPU, memory, kernel, Python."""
    with open('/proc/cpuinfo') as file:
        names = {line.partition(':')[2].strip() for line in file
                 if line.startswith('model name')}
    memory = os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES')
    kernel = '.'.join(platform.release().split('.')[:2]).split('-')[0]
    return (f'{os.cpu_count()} cores ({", ".join(sorted(names)) or "?"}), '
            f'{round(memory / 2 ** 30)} GiB, Linux {kernel}, '
            f'Python {platform.python_version()}')


def table(head, rows):
    """Print rows under a heading, in columns."""
    rows = [[str(cell) for cell in row] for row in [head, *rows]]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for number, row in enumerate(rows):
        print('  '.join(cell.ljust(width) for cell, width
                        in zip(row, widths, strict=True)).rstrip())
        if not number:
            print('  '.join('-' * width for width in widths))
    print(flush=True)
