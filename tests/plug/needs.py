# SPDX-License-Identifier: Apache-2.0

"""Leaves out the tests that import it where they cannot be run."""

import importlib
import os
import shutil
import unittest

PATH = '/usr/sbin:/usr/bin:/sbin:/bin'

_PROGRAMS = ('libvirtd', 'virtlogd', 'qemu-system-x86_64',
             'qemu-storage-daemon')

if os.geteuid() != 0:
    raise unittest.SkipTest('needs root: libvirtd')
for _name in _PROGRAMS:
    if shutil.which(_name, path=PATH) is None:
        raise unittest.SkipTest(f'needs {_name}')
try:
    libvirt = importlib.import_module('libvirt')
except ImportError:
    raise unittest.SkipTest("needs libvirt's binding: libvirt-dev, "
                            'pkg-config and gcc to build it') from None
