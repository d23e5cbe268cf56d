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

"""One thing that ``doctor`` has found."""

import collections

OK, NOTE, WARNING, FAILURE = 'ok', 'note', 'warning', 'failure'

#: ``level`` is one of the constants above, ``target`` the target that it is
#: about, or None for the whole machine.
Finding = collections.namedtuple(
    'Finding', 'check level text remedy target', defaults=('', None))


def halves(exc):
    """The cause and the remedy of an error: "cause; remedy"."""
    text, _, remedy = str(exc).rpartition('; ')
    return (text, remedy) if text else (remedy, '')


def of_target(check, target, exc):
    """A failure of one target, from the error that says so."""
    text, remedy = halves(exc)
    return Finding(check, FAILURE, text, remedy, target.name)
