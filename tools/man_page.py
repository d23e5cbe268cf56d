# SPDX-License-Identifier: Apache-2.0

"""Write doc/man/cyborg-spdk.1, which the package installs, from the docs.

    tox -e man

It is kept in the repository, since whoever installs the package need not
have Sphinx. It names neither a version nor a date, so that it changes only
with the commands.
"""

import pathlib
import re
import subprocess
import sys

#: The root of the source tree.
TOP = pathlib.Path(__file__).parent.parent
#: The page that is kept.
PAGE = TOP / 'doc' / 'man' / 'cyborg-spdk.1'


def main() -> None:
    """Build the page, and write it where it is kept."""
    built = TOP / 'doc' / 'build' / 'man'
    subprocess.run(
        [sys.executable, '-m', 'sphinx', '-q', '-W', '-b', 'man',
         '-d', built / 'trees', TOP / 'doc' / 'source', built], check=True)
    text = (built / PAGE.name).read_text()
    text = re.sub(r'^\.TH .*$', '.TH CYBORG-SPDK 1 "" cyborg-spdk', text,
                  flags=re.MULTILINE)
    # What is left of references to other pages.
    text = text.replace(' \\%<>', '')
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(text)


if __name__ == '__main__':
    main()
