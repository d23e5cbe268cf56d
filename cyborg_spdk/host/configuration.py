# Licensed under the Apache License, Version 2.0 (the "License"); you may
# not use this file except in compliance with the License. You may obtain
# a copy of the License at
#
#      http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
# WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
# License for the specific language governing permissions and limitations
# under the License.

"""Give a saved configuration to a target that runs, call by call."""

import dataclasses

from cyborg_spdk import exceptions
from cyborg_spdk.host import savedconfig


@dataclasses.dataclass
class Applied:
    """What became of the calls of a configuration.

    :ivar made: how many were made.
    :ivar left_out: methods that only a target takes that is not yet
        initialised.
    :ivar failed: list of (call, error).
    """

    made: int = 0
    left_out: list = dataclasses.field(default_factory=list)
    failed: list = dataclasses.field(default_factory=list)


def apply(call, config, *, keep_going=False):
    """Make the calls of a configuration, each after the one before.

    :param call: ``call(method, **params)`` calls the target.
    :param config: as :func:`cyborg_spdk.host.savedconfig.parse` returns it.
    :param keep_going: go on after a call that has failed.
    :returns: :class:`Applied`.
    :raises SpdkError: if the connection fails; what was made stays made.
    """
    done = Applied()
    for _, entry in savedconfig.calls(config):
        try:
            call(entry['method'], **(entry.get('params') or {}))
            done.made += 1
        except exceptions.NotReady:
            done.left_out.append(entry['method'])
        except exceptions.RpcError as exc:
            done.failed.append((entry, exc))
            if not keep_going:
                break
    return done
