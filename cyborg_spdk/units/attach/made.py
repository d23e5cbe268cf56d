# SPDX-License-Identifier: Apache-2.0

"""What came of an attach."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Attachment:
    """How the consumer reaches what it may use now.

    :ivar changed: False if it was so already.
    :ivar reach: where: list of str.
    :ivar warnings: what the operator should know: list of str.
    :ivar keys: files with the keys that were made, by kind: those that the
        consumer needs too.
    """

    changed: bool
    reach: list[str]
    warnings: list[str]
    keys: dict[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Detachment:
    """What came of a detach.

    :ivar changed: False if it was so already.
    :ivar warnings: what the operator should know: list of str.
    """

    changed: bool
    warnings: list[str]
