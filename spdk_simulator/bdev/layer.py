# SPDX-License-Identifier: Apache-2.0

"""The block device layer (``lib/bdev``): names, claims, life."""

import uuid

from spdk_simulator import errors

EXCLUSIVE = "exclusive_write"
READ_MANY_WRITE_ONE = "read_many_write_one"
READ_MANY_WRITE_NONE = "read_many_write_none"
READ_MANY_WRITE_SHARED = "read_many_write_shared"

NIL = "00000000-0000-0000-0000-000000000000"

# A store of logical volumes has at least a cluster of this size.
_SMALLEST_STORE = 2 ** 20

QOS = ("rw_ios_per_sec", "rw_mbytes_per_sec", "r_mbytes_per_sec",
       "w_mbytes_per_sec")


class Bdev:
    """One block device.

    :ivar module: name of the module that made it, e.g. ``"malloc"``.
    :ivar io: set of io types that it supports.
    :ivar specific: function of no argument: ``driver_specific``.
    :ivar config: function of no argument: the call that makes it again, or
        None.
    :ivar claim: (claim type, claiming module), or None.
    :ivar openers: functions that are told when the bdev goes.
    :ivar holders: who else keeps it from going.
    :ivar stuck: whether a channel is kept for ever: it is never destroyed.
    :ivar watched: whether its own module has it open, too.
    """

    product = ""
    numa_id = None
    write_cache = False

    def __init__(self, module, name, block_size, num_blocks, io):
        self.module = module
        self.name = name
        self.block_size = block_size
        self.num_blocks = num_blocks
        self.io = set(io)
        self.uuid = None
        self.aliases = []
        self.specific = dict
        self.config = None
        self.claim = None
        self.openers = []
        self.removing = False
        self.domains = ()
        self.qos = dict.fromkeys(QOS, 0)
        self.md_size = 0
        self.md_interleave = False
        self.dif_type = 0
        self.dif_head = False
        self.dif_pi_format = 0
        self.preferred = (0, 0, 0, 0, 0)
        self.on_destroy = None
        self.reads = 0
        self.written = self.unmapped = (0, 0)
        self.limiting = False
        self.limited = False
        self.histogram = False
        self.histogram_opc = None
        self.histogram_range = None
        self.period = 0
        self.channel = False
        self.base_bdevs = ()
        self.zoned = None
        self.holders = set()
        self.gone = None
        self.closing = False
        self.watched = False
        self.stuck = False

    @property
    def size(self):
        """Bytes."""
        return self.block_size * self.num_blocks


class Layer:
    """All bdevs of a target and the modules that look at new ones."""

    def __init__(self, target):
        self.target = target
        self.by_name = {}
        # A dict for the sake of its order: bdevs go from the middle, too.
        self.list = {}
        self.examiners = []
        self.modules = {}
        self.waiting = set()
        self.watchers = []
        self.counters = {"Malloc": 0, "Null": 0}
        # Bytes that malloc bdevs take.
        self.memory = 0
        self.examine_names = []
        self.fresh = []
        self.options = {"bdev_io_pool_size": 65535,
                        "bdev_io_cache_size": 256}
        if target.release >= 2007:
            self.options["bdev_auto_examine"] = True
        if target.release >= 2401:
            self.options["iobuf_small_cache_size"] = 128
            self.options["iobuf_large_cache_size"] = 16

    def __iter__(self):
        if self.target.release < 2205:
            # One that is going is listed until it is gone.
            return iter(list(self.list))
        return iter([bdev for bdev in self.list if not bdev.removing])

    def find(self, name):
        """Find by name or alias; one that is going counts, as in SPDK.

        :returns: the bdev, or None.
        """
        return self.by_name.get(name)

    def get(self, name, code=None):
        """Find one that can be opened.

        :raises errors.CallError: ENODEV.
        """
        bdev = self.by_name.get(name)
        if bdev is None or bdev.removing:
            raise errors.no_device(code)
        return bdev

    def register(self, bdev):
        """Make a bdev known.

        :raises errors.CallError: EINVAL without a name, EEXIST if its name
            or its UUID is taken.
        """
        if not bdev.name and self.target.release >= 1907:
            raise errors.invalid()
        release = self.target.release
        try:
            self._enter(bdev)
        except errors.CallError:
            if 1904 <= release < 2101:
                # It is told of all the same.
                self.target.notify("bdev_register", bdev.name)
            raise
        if release < 2205:
            # Modules that look at it have it open.
            bdev.holders.add("examine")
            self.target.post(self.let_go, bdev, "examine")
        self.examine(bdev)
        if release < 1804 and bdev.size < _SMALLEST_STORE \
                and bdev.claim is None:
            # The search for a store of volumes opens it and gives up.
            bdev.holders.add("lvol")
        if release < 2101:
            self.target.notify("bdev_register", bdev.name)
        else:
            self._registered(bdev)
        for watcher in list(self.watchers):
            watcher(bdev)

    def _enter(self, bdev):
        """Take a new bdev into the list.

        :raises errors.CallError: EEXIST.
        """
        if bdev.uuid in (None, NIL):
            bdev.uuid = str(uuid.uuid4())
        names = [bdev.name]
        if self.target.release >= 2205 and bdev.uuid != bdev.name \
                and not bdev.aliases:
            bdev.aliases = [bdev.uuid]
        names += bdev.aliases
        if any(name in self.by_name for name in names):
            raise errors.exists()
        for name in names:
            self.by_name[name] = bdev
        self.list[bdev] = None

    def _registered(self, bdev):
        """Tell of a new bdev when the present call is through; of several
        the last one first.
        """
        if not self.fresh:
            self.target.post(self._tell)
        self.fresh.append(bdev.name)

    def _tell(self):
        fresh, self.fresh = self.fresh, []
        for name in reversed(fresh):
            self.target.notify("bdev_register", name)

    def examine(self, bdev):
        """Let the modules on top look at a new bdev, if they may."""
        if self.options.get("bdev_auto_examine", True) or any(
                name in self.examine_names
                for name in (bdev.name, *bdev.aliases)):
            self.run_examiners(bdev)

    def run_examiners(self, bdev):
        """Let the modules on top look at a bdev."""
        for examiner in self.examiners:
            examiner(bdev)
        self.touch(bdev)

    @staticmethod
    def touch(bdev):
        """Have an I/O channel of a bdev: what limits a bdev keeps one from
        then on (bdev_enable_qos()).
        """
        todo = [bdev]
        while todo:
            bdev = todo.pop()
            bdev.limited = bdev.limited or any(bdev.qos.values())
            todo += bdev.base_bdevs

    def add_alias(self, bdev, alias):
        """Give a bdev a further name.

        :raises errors.CallError: EEXIST.
        """
        if alias in self.by_name:
            raise errors.exists()
        self.by_name[alias] = bdev
        bdev.aliases.append(alias)

    def claim(self, bdev, module, kind=EXCLUSIVE):
        """Claim a bdev for a module.

        :raises errors.CallError: EPERM if somebody has it.
        """
        if bdev.claim is not None:
            raise errors.not_permitted()
        bdev.claim = (kind, module)
        self.touch(bdev)

    def release(self, bdev):
        """Give up a claim."""
        bdev.claim = None
        self.closed(bdev)

    def closed(self, bdev):
        """Somebody has closed a bdev: one that is going is not listed any
        more from the moment on that nobody has it open
        (bdev_unregister_unsafe()), and destroyed a message later.
        """
        if bdev.openers:
            return
        # What limits it gives its channel up, too.
        bdev.limited = False
        if bdev.closing and not bdev.holders:
            bdev.closing = False
            self._unlist(bdev)
            self.target.post(self._destroy, bdev)

    def unregister(self, bdev, done=None):
        """Begin to remove a bdev; what is on top of it goes first.

        :param done: called when it is gone.
        :raises errors.CallError: ENODEV if it is going already.
        """
        if bdev.removing:
            raise errors.no_device()
        bdev.removing, bdev.gone = True, done
        if self.target.release < 2205:
            self._close(bdev)
        else:
            # First every channel learns of it.
            self.target.post(self._close, bdev)

    def _close(self, bdev):
        """Tell those that have a bdev open, each by a message."""
        for opener in list(bdev.openers):
            self.target.post(self._removed, bdev, opener)
        bdev.closing = True
        if bdev.watched:
            bdev.holders.add(bdev.module)
            self.target.post(self.let_go, bdev, bdev.module)
        self.closed(bdev)

    @staticmethod
    def _removed(bdev, opener):
        if opener in bdev.openers:
            opener(bdev)

    def _unlist(self, bdev):
        for name in [bdev.name, *bdev.aliases]:
            if self.by_name.get(name) is bdev:
                del self.by_name[name]
        if bdev in self.list:
            del self.list[bdev]
            self.target.notify("bdev_unregister", bdev.name)

    @staticmethod
    def _destroy(bdev):
        if bdev.stuck:
            return
        if bdev.on_destroy:
            bdev.on_destroy(bdev)
        if bdev.gone:
            bdev.gone()

    def let_go(self, bdev, holder):
        """End what kept a bdev from going."""
        bdev.holders.discard(holder)
        self.closed(bdev)

    def rename_alias(self, bdev, old, new):
        """Replace one alias by another."""
        self.by_name.pop(old, None)
        bdev.aliases = [new if name == old else name
                        for name in bdev.aliases]
        self.by_name[new] = bdev
