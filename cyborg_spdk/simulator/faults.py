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

"""Faults on demand, so that clients can be tested against them."""


def parse(specs, log):
    """Read ``--fault`` options.

    :param specs: list of texts.
    :returns: a :class:`Faults`, or None without any.
    """
    if not specs:
        return None
    return None
