# SPDX-License-Identifier: Apache-2.0
"""Serve a WSGI application on 127.0.0.1; run as a script.

usage: wsgi_main.py MODULE PORT

MODULE has the application under that name, as with uwsgi.
"""

import importlib
import sys

from tests.functional.fixtures import served


def main() -> None:
    """Serve until the process is ended."""
    name, port = sys.argv[1:3]
    # Keystone, for one, reads the arguments as its own.
    del sys.argv[1:]
    module = importlib.import_module(name)
    served.serve(module.application, int(port))


if __name__ == '__main__':
    main()
