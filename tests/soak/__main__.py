# SPDX-License-Identifier: Apache-2.0

"""Do everything very often, and print one table.

    python -m tests.soak [--part FRACTION] [--seed SEED] [TRIAL ...]

TRIAL is a part of a trial's name; none means all. ``--part 0.1`` does a
tenth of each. It ends with 1 if a figure is over its limit.
"""

import argparse
import random
import sys
import time

import prettytable

from benchmarks import machine
from tests.soak import every


def main():
    """Do the trials and print what they found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('trial', nargs='*')
    parser.add_argument('--part', type=float, default=1.0)
    parser.add_argument('--seed', type=int)
    options = parser.parse_args()
    seed = options.seed
    if seed is None:
        seed = random.SystemRandom().randrange(1 << 32)
    table = prettytable.PrettyTable(
        ['trial', 'times', 'found', 'limits', 'seconds'])
    table.align = 'l'
    broken = []
    for trial in every.TRIALS:
        if options.trial and not any(
                part in trial.name for part in options.trial):
            continue
        amount = max(1, round(trial.amount * options.part))
        print(f'{trial.name}: {amount}', file=sys.stderr, flush=True)
        began = time.monotonic()
        figures = trial.run(amount, seed)
        print(f'{trial.name}: {figures}', file=sys.stderr, flush=True)
        broken += [f'{trial.name}: {text}' for text
                   in trial.broken(figures)]
        table.add_row([
            trial.name, amount, '\n'.join(
                f'{name} {figure:g}' for name, figure in figures.items()),
            '\n'.join(f'{name} {limit:g}' for name, limit
                      in trial.limits.items()),
            round(time.monotonic() - began)], divider=True)
    print(machine.describe())
    print(f'seed {seed}')
    print(table)
    print('\n'.join(broken) or 'nothing is over its limit')
    return bool(broken)


if __name__ == '__main__':
    sys.exit(main())
