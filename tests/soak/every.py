# SPDX-License-Identifier: Apache-2.0

"""All trials."""

from tests.soak import cut_connections
from tests.soak import discovers
from tests.soak import histories
from tests.soak import hostile_peers
from tests.soak import interruptions
from tests.soak import saves
from tests.soak import starts
from tests.soak import trials

TRIALS = (
    trials.Trial(
        'creates, connections cut and targets killed', cut_connections.run,
        30000, 600, {'contradictions': 0, 'executed twice': 0}),
    trials.Trial(
        'calls to hostile peers', hostile_peers.run, 5000000, 5000,
        {'hung': 0, 'crossed': 0, 'untyped': 0}),
    trials.Trial(
        'replies without end', hostile_peers.endless, 20, 4,
        {'answered': 0, 'peak MiB': 200}),
    trials.Trial(
        'calls to a peer that hangs up', hostile_peers.accepted_and_closed,
        60, 2, {'answered': 0, 'connections a second': 50}),
    trials.Trial(
        'calls interrupted, forks, disconnects', interruptions.run, 200000,
        1000, {'hung': 0, 'crossed': 0, 'untyped': 0,
               'children that failed': 0}),
    trials.Trial(
        'rounds of starts at the same time', starts.run, 50, 1,
        {'processes too many': 0, 'commands that failed': 0,
         'left running': 0}),
    trials.Trial(
        'kills in saves', saves.run, 1000, 30,
        {'damaged': 0, 'left over': 0}),
    # 20,000 reports are two weeks of an agent.
    trials.Trial(
        'discover()', discovers.of('flat'), 20000, 20,
        {'more MiB': 16, 'more descriptors': 0, 'more objects': 1000}),
    trials.Trial(
        'discover() with hostile files', discovers.of('hostile files'),
        1000, 10, {'raised': 0, 'reports too long': 0}),
    trials.Trial(
        'discover() with a hung target', discovers.of('hung'), 20, 1,
        {'others unread': 0, 'seconds': 30}),
    trials.Trial(
        'discover(), clock set forth and back', discovers.of('clocks'),
        1000, 10, {'raised': 0, 'not reported': 0}),
    trials.Trial(
        'hostile calls of the helper', histories.of(
            'tests.functional.host.test_hostile_calls',
            'CYBORG_SPDK_TEST_HOSTILE_CALLS'), 100000, 0, {'failures': 0}),
    trials.Trial(
        'histories of reports', histories.of(
            'tests.functional.report.test_histories',
            'CYBORG_SPDK_TEST_HISTORIES',
            CYBORG_SPDK_TEST_DATABASE='mariadb'), 1000, 0, {'failures': 0}),
    trials.Trial(
        'histories of desired states', histories.of(
            'tests.functional.desired.test_histories',
            'CYBORG_SPDK_TEST_HISTORIES'), 500, 0, {'failures': 0}),
)
