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

"""An SPDK target in Python: embedded default and test double.

A program of its own: it imports nothing else of this project, and nothing
of the project imports it. ``python -m cyborg_spdk.simulator nvmf_tgt -r
SOCKET`` behaves, on its RPC socket and as a process, as the SPDK program
of that name does; ``install DIRECTORY`` lays out what looks like an SPDK
installation. Its answers are computed from state and rules, never replayed.
"""
