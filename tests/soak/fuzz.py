# SPDX-License-Identifier: Apache-2.0

"""Look for bytes that are taken otherwise than they should be.

    python -m tests.soak.fuzz NAME [SECONDS]

NAME is a function of :mod:`tests.soak.inputs`. It runs under atheris, which
looks for inputs that reach more of our code, and begins with those that were
kept; the short ones that it finds are kept, too. An input that breaks a rule
is printed and ends it.
"""

import os
import subprocess
import sys
import tempfile

from tests.soak import corpus

_LONGEST = 65536
# Longest input that is kept.
_KEPT = 4096


def _child(name, arguments):
    """Run the fuzzer itself, in this process."""
    import atheris
    with atheris.instrument_imports(include=['cyborg_spdk', 'yaml']):
        from tests.soak import inputs
    atheris.Setup([name, *arguments], inputs.INPUTS[name])
    atheris.Fuzz()


def _run(name, *arguments):
    return subprocess.run(
        [sys.executable, '-W', 'ignore', '-m', 'tests.soak.fuzz', '--child',
         name, f'-max_len={_LONGEST}', '-timeout=60', *arguments],
        check=False).returncode


def main(name, seconds='600'):
    """Fuzz one function; returns the exit status."""
    with tempfile.TemporaryDirectory() as directory:
        for number, data in enumerate(corpus.load(name)):
            with open(os.path.join(directory, str(number)), 'wb') as stream:
                stream.write(data)
        status = _run(name, f'-max_total_time={seconds}',
                      f'-artifact_prefix={os.getcwd()}/fuzz-{name}-',
                      directory)
        if status == 0:
            kept = []
            for one in os.scandir(directory):
                if one.stat().st_size <= _KEPT:
                    with open(one.path, 'rb') as stream:
                        kept.append(stream.read())
            corpus.save(name, kept)
    return status


if __name__ == '__main__':
    if sys.argv[1] == '--child':
        _child(sys.argv[2], sys.argv[3:])
    sys.exit(main(*sys.argv[1:]))
