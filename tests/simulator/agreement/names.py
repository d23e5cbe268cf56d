# SPDX-License-Identifier: Apache-2.0


"""Names of methods, which were others before v19.10."""

from spdk_simulator import release as releases

#: Since this release every method has the name that it has today.
RENAMED = 1910


def current(name):
    """Today's name of a method, whatever a release calls it."""
    known = releases.data('methods')['aliases']
    while name in known:
        name = known[name][0][0]
    return name


def of(release, methods):
    """What a release calls its methods.

    :param release: a :class:`spdk_simulator.release.Release`.
    :param methods: names of methods that it has.
    :returns: dict: today's name -> the name in this release.
    """
    if release >= RENAMED:
        return {name: name for name in methods}
    return {current(name): name for name in methods}


def listing(release):
    """The method that lists the methods."""
    return 'rpc_get_methods' if release >= 1907 else 'get_rpc_methods'
