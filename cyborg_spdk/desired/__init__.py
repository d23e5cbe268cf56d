# SPDX-License-Identifier: Apache-2.0

"""What a target is to have: kept and declared objects, made and made again.

A target forgets all it has when it ends, and loses parts while it lives.
For each target there is a desired state: objects with the calls that make
them, what each depends on, where it comes from, and since when it is missing
and why. An observation never empties it: an object leaves it only when it
was deleted on purpose.

For callers:

:func:`starting.ensure(conf, target) <cyborg_spdk.desired.starting.ensure>`
    check or start a target, with all that it is to have; says what is
    missing. :func:`~cyborg_spdk.desired.starting.stop` stops one.
:func:`keep.look(conf, target, client) <cyborg_spdk.desired.keep.look>`
    one look: what the target has is kept, what it lacks is made (in the
    order of dependence, with growing pauses for what fails).
:func:`starting.missing(conf, target) <cyborg_spdk.desired.starting.missing>`
    the objects that were missing at the last look; nothing is asked.
:func:`changing.declare(conf, target, calls)
<cyborg_spdk.desired.changing.declare>`
    say which objects a target is to have, before they are made; also
    ``forget``, ``diff``, ``adopt`` (take what is there for all),
    ``replace``.
:func:`declared.apply(conf, pool, target, told, listener)
<cyborg_spdk.desired.declared.apply>`
    make a pool and its units, and keep them as declared at once.
    :class:`~cyborg_spdk.desired.declared.Maker` does so when there is reason.
:class:`objects.Object <cyborg_spdk.desired.objects.Object>`
    one object: key (``bdev:Malloc0``, ``namespace:NQN/1``), ``missing_since``
    (seconds since the epoch, None while it is there) and ``why``.
:func:`store.load(conf, target) <cyborg_spdk.desired.store.load>`
    the whole state; :func:`~cyborg_spdk.desired.store.locked` around what
    changes it.

Inside, from the bottom: ``configuration`` (SPDK's own form), ``kinds`` (which
object a call makes, and on what that depends), ``objects``, ``observe`` (one
look), ``judge`` (deleted or lost), ``update`` (a state after a look),
``store`` (files), ``takeover`` (what former releases left), ``plan``,
``probes`` (is the cause gone), ``fit`` (a call as a release takes it),
``mend`` (what is in the way), ``make``.
"""
