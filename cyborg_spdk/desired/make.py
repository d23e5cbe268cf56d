# SPDX-License-Identifier: Apache-2.0

"""Make the objects that a target lacks, in the order of dependence."""

import concurrent.futures
import time
import typing

from cyborg_spdk.desired import fit
from cyborg_spdk.desired import judge
from cyborg_spdk.desired import kinds
from cyborg_spdk.desired import mend
from cyborg_spdk.desired import objects as desired_objects
from cyborg_spdk.desired import observe
from cyborg_spdk.desired import plan
from cyborg_spdk.desired import probes
from cyborg_spdk.desired import reasons
from cyborg_spdk.desired import store
from cyborg_spdk.desired import update
from cyborg_spdk import exceptions
from cyborg_spdk import loggers
from cyborg_spdk import rpc

LOG = loggers.get(__name__)

#: Seconds that one round waits for controllers that do not answer: their
#: calls go on, and nothing but what stands on them waits.
ATTACH_WAIT = 3.0
#: Seconds for such a call itself: SPDK gives up after 134.
_ATTACH_TIMEOUT = 180.0
#: Calls that wait for somebody outside of the target.
_SLOW = frozenset({'bdev_nvme_attach_controller', 'bdev_iscsi_create',
                   'bdev_rbd_create', 'bdev_nvme_start_discovery',
                   'bdev_virtio_attach_controller'})
#: Those of which SPDK says by no code of its own that it is there already.
_THERE = ('File exists', 'already exists')
#: Calls on its way in one go: faster than more, or fewer, at v26.05.
_WINDOW = 256
#: First release whose subsystems take several calls at a time.
_AT_ONCE = (24, 5)
#: First release that serves others while it waits for a connection.
_CONNECTS_ASIDE = (25, 5)


class Maker:
    """Makes objects in one target.

    :param client: a connection to it.
    :param state: the desired state; what becomes of an object is noted in
        it.
    :param now: what the target has.
    :param timeout: seconds for one call.
    :ivar made: keys of what was made.
    :ivar fitter: :class:`~cyborg_spdk.desired.fit.Fitter`.
    """

    def __init__(self, client: rpc.Client, state: store.State,
                 now: observe.Observation, timeout: float):
        self._client = client
        self._state = state
        self._now = now
        self._timeout = timeout
        self._there = plan.There(now, state.objects)
        self._stand_ins: list[str] = []
        self.made: list[str] = []
        self.fitter = fit.Fitter(client)

    def make(self, wanted: list[desired_objects.Object]) -> None:
        """Make objects, as far as it can be done now.

        :raises SpdkError: if the connection is lost; what was made stays.
        """
        for some in plan.rounds(wanted):
            level = some[0].level
            self._round(some)
            if level in (kinds.BASE, kinds.UPPER):
                self._examined(some)

    def _round(self, some: list[desired_objects.Object]) -> None:
        sent = []
        planned = {one.key for one in some}
        for one in some:
            request = self._request(one, planned)
            if request is None:
                planned.discard(one.key)
            else:
                sent.append((one, request))
        silent = self._silent([one for one, _ in sent])
        slow = [(one, self._submit(request)) for one, request in sent
                if one.method in _SLOW and one.key not in silent]
        quick = [pair for pair in sent if pair[0].method not in _SLOW]
        for portion in self._portions(quick):
            replies = self._client.call_many(
                [request for _, request in portion])
            for (one, _), reply in zip(portion, replies, strict=True):
                self._answered(one, reply)
        while self._stand_ins:
            mend.dismiss(self._client, self._stand_ins.pop(),
                         self._timeout)
        self._await(slow)

    def _silent(self, planned: list[desired_objects.Object]) -> set[str]:
        """Keys of controllers for which the whole target would wait."""
        version = self._client.version
        if version is None or version >= _CONNECTS_ASIDE:
            return set()
        found = probes.unanswered(planned, ATTACH_WAIT)
        for one in planned:
            if one.key in found:
                self._failed(one, 'nobody takes its connections, and this '
                             'release of SPDK serves nobody while it tries')
        return found

    def _portions(self, sent: list[tuple[
            desired_objects.Object, rpc.Request]]) -> list[list[tuple[
                desired_objects.Object, rpc.Request]]]:
        version = self._client.version
        if version is None or version >= _AT_ONCE:
            return [sent[at:at + _WINDOW]
                    for at in range(0, len(sent), _WINDOW)]
        # Before v24.05 a subsystem that is being changed refuses a change.
        turns: list[list[tuple[desired_objects.Object, rpc.Request]]] = []
        turn_of: dict[str, int] = {}
        for one, request in sent:
            owner = one.part_of if one.level in (
                kinds.MEMBER, kinds.LISTENER) else None
            turn = 0
            if owner is not None:
                turn = turn_of[owner] = turn_of.get(owner, 0) + 1
            while len(turns) <= turn:
                turns.append([])
            turns[turn].append((one, request))
        return [turn for turn in turns if turn]

    def _request(self, one: desired_objects.Object,
                 planned: set[str]) -> rpc.Request | None:
        """The call that makes an object; None if it cannot be made now."""
        lacking = self._there.lacking(one, planned)
        if lacking is not None:
            # Not a try of its own: it is made as soon as that is there.
            self._note(one, f'{judge.said(lacking)} is missing')
            return None
        refused = plan.refusal(one, self._now) or mend.clear_way(
            self._client, self._now, one, self._timeout)
        if refused is not None:
            self._failed(one, refused)
            return None
        try:
            return rpc.Request(str(one.method),
                               self.fitter.fit(one, self._params(one)),
                               self._timeout)
        except exceptions.MethodNotFound as exc:
            if one.kind != 'option':
                self._failed(one, str(exc))
            else:
                # There is nothing to set.
                self.fitter.left_out[str(one.method)] += 1
                update.found(one)
            return None
        except exceptions.RpcError as exc:
            self._failed(one, str(exc))
            return None

    def _params(self, one: desired_objects.Object) -> kinds.Params:
        if one.kind != 'node' or 'bdev_names' in one.params:
            return one.params
        luns = [lun for lun in desired_objects.node_luns(
            one, self._state.objects)
            if self._there.has(f'bdev:{lun["bdev_name"]}')]
        if not any(lun['lun_id'] == 0 for lun in luns):
            name = mend.stand_in(self._client, one, self._timeout)
            self._stand_ins.append(name)
            luns.insert(0, {'bdev_name': name, 'lun_id': 0})
        return {**one.params, 'luns': luns}

    def _submit(self, request: rpc.Request) -> typing.Any:
        return self._client.submit(request.method, _timeout=_ATTACH_TIMEOUT,
                                   **request.params or {})

    def _await(self, slow: list[tuple[desired_objects.Object,
                                      typing.Any]]) -> None:
        done, _ = concurrent.futures.wait(
            [future for _, future in slow], ATTACH_WAIT)
        for one, future in slow:
            if future in done:
                error = future.exception()
                self._answered(one, future.result() if error is None
                               else error)
            else:
                self._failed(one, 'it has not answered yet')

    def _answered(self, one: desired_objects.Object,
                  reply: typing.Any) -> None:
        if isinstance(reply, (exceptions.ConnectionLost,
                              exceptions.ConnectError)):
            raise reply
        if isinstance(reply, exceptions.AlreadyExists) or (
                isinstance(reply, exceptions.RpcError)
                and any(text in reply.message for text in _THERE)):
            # It comes by itself, or is on its way; the next look tells.
            self._note(one, 'it is there, or on its way')
            return
        if isinstance(reply, Exception):
            lacking = self._there.lacking(one)
            if lacking is not None:
                self._note(one, f'{judge.said(lacking)} is missing')
            else:
                self._failed(one, reasons.explain(one, reply, self._there))
            return
        self._made_one(one)

    def _made_one(self, one: desired_objects.Object) -> None:
        self.made.append(one.key)
        self._there.add(one.key)
        update.found(one)
        one.seen = {}
        if one.kind == 'node':
            for lun in self._state.objects.values():
                if lun.part_of == one.key and self._there.has(
                        lun.stands_on[0]):
                    update.found(lun)
                    self._there.add(lun.key)
        if not one.is_shown:
            # Once is enough: the target shows what came of it.
            self._state.objects.pop(one.key, None)

    def _note(self, one: desired_objects.Object, why: str) -> None:
        if one.missing_since is None:
            one.missing_since = time.time()
        one.why = why

    def _failed(self, one: desired_objects.Object, why: str) -> None:
        if one.kind == 'option' and one.release not in (
                None, str(self._client.version)):
            # Another release's defaults; what it lacks is told.
            self.fitter.left_out[f'{one.name} ({why})'] += 1
            update.found(one)
            return
        self._note(one, why)
        one.tries += 1
        one.next_try = time.time() + plan.pause(one.tries)
        one.blocked = one.key in probes.blocked([one])

    def _examined(self, some: list[desired_objects.Object]) -> None:
        """Wait for bdevs that come by themselves, and see which they are."""
        if self._client.has('bdev_wait_for_examine'):
            self._client.call('bdev_wait_for_examine',
                              _timeout=self._timeout)
        if not any(one.kind != 'bdev' for one in some) and not any(
                one.method is None and one.missing_since is not None
                for one in self._state.objects.values()):
            return
        for bdev in self._client.call('bdev_get_bdevs',
                                      _timeout=self._timeout):
            for name in (bdev['name'], *(bdev.get('aliases') or ())):
                self._there.add(f'bdev:{name}')
                self._now.names.setdefault(name, f'bdev:{bdev["name"]}')
