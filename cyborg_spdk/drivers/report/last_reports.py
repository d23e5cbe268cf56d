# SPDX-License-Identifier: Apache-2.0

"""The last reports of all targets, in memory and on disk."""

from cyborg_spdk import conditions
from cyborg_spdk.drivers.report import memory
from cyborg_spdk.drivers.report import reported_targets
from cyborg_spdk import exceptions


class LastReports:
    """What was said of each target, read once and written at each change.

    :param told: what is told of whom.
    """

    def __init__(self, told: conditions.Conditions) -> None:
        self._conditions = told
        self._states: dict[str, memory.State | None] = {}
        # Paths of files that say something else than what is here.
        self._unsaved: set[str] = set()

    def get(self, directory: str, target: str) -> memory.State | None:
        """What was said of a target; None if that is not known."""
        path = memory.path(directory, target)
        if path not in self._states:
            message = None
            try:
                self._states[path], message = memory.load(path)
            except exceptions.StateError as exc:
                self._states[path], message = None, str(exc)
            if message:
                self._conditions.tell(target, 'last report', message)
        return self._states[path]

    def put(self, directory: str, target: str,
            state: memory.State) -> None:
        """Remember what is said now, before it is said.

        A disk that does not take it is told; what is remembered here goes
        on being true, and is written as soon as the disk takes it.
        """
        path = memory.path(directory, target)
        if state == self._states.get(path) and path not in self._unsaved:
            return
        self._states[path] = state
        self._unsaved.add(path)
        message = None
        try:
            index = reported_targets.load(directory)
            index[target] = reported_targets.Reported(state.kind,
                                                      state.address)
            # First: it says where to look for the other.
            reported_targets.save(directory, index)
            memory.save(path, state)
            self._unsaved.discard(path)
        except exceptions.StateError as exc:
            message = str(exc)
        self._conditions.tell(target, 'state', message)

    def note(self, directory: str, target: str, kind: str = '',
             address: str = '') -> None:
        """Remember that Cyborg has a target of which nothing else is known.

        Else only Placement knows of it, and when that cannot be asked the
        device would be left out, with what is allocated of it.

        :param directory: ``[spdk] state_path``.
        :param target: its name.
        :param kind: its kind, if that is known.
        :param address: where it is, if that is known.
        """
        message = None
        try:
            index = reported_targets.load(directory)
            if target not in index:
                index[target] = reported_targets.Reported(kind, address)
                reported_targets.save(directory, index)
        except exceptions.StateError as exc:
            message = str(exc)
        self._conditions.tell(target, 'state', message)

    def forget(self, directory: str, target: str) -> None:
        """A target that Cyborg has no more."""
        path = memory.path(directory, target)
        self._states.pop(path, None)
        self._unsaved.discard(path)
        message = None
        try:
            memory.remove(path)
            index = reported_targets.load(directory)
            if index.pop(target, None) is not None:
                reported_targets.save(directory, index)
        except exceptions.StateError as exc:
            message = str(exc)
        self._conditions.tell(target, 'state', message)
