# SPDX-License-Identifier: Apache-2.0
"""Read the files of each release from a git checkout of SPDK."""

import re
import subprocess

#: Where what an SPDK program serves is registered and decoded.
FOLDERS = ('lib', 'module', 'app', 'include')
#: What a file must hold to say something about RPC methods.
WORDS = ('SPDK_RPC_REGISTER', 'spdk_json_')

# v16.06 has the library, and no method.
_FIRST = (16, 8, 0)
_FINAL = re.compile(r'v(\d\d)\.(\d\d)(?:\.(\d+))?').fullmatch


class Checkout:
    """A git checkout, or a bare repository, of SPDK.

    :param path: its directory.
    """

    def __init__(self, path: str) -> None:
        self.path = path

    def _git(self, *args: str, ok: tuple[int, ...] = (0,),
             stdin: str = '') -> bytes:
        done = subprocess.run(['git', '-C', self.path, *args],  # noqa: S607
                              input=stdin.encode(), capture_output=True)
        if done.returncode not in ok:
            raise SystemExit(f'git {args[0]} in {self.path}: '
                             + done.stderr.decode(errors='replace').strip())
        return done.stdout

    def releases(self) -> list[str]:
        """The tags of releases that have an RPC server, oldest first."""
        tags = [tag for tag in self._git('tag').decode().split()
                if _FINAL(tag) and order(tag) >= _FIRST]
        return sorted(tags, key=order)

    def commit(self, revision: str) -> str:
        """The full hash of a revision."""
        return self._git('rev-parse', revision + '^{commit}').decode().strip()

    def blobs(self, revision: str) -> dict[str, str]:
        """Files that may say something about RPC methods.

        :param revision: a tag or a commit.
        :returns: path -> hash of the file's content.
        """
        words = [part for word in WORDS for part in ('-e', word)]
        found = self._git('grep', '-lF', *words, revision, '--', *FOLDERS,
                          ok=(0, 1)).decode().split('\n')
        names = {line.partition(':')[2] for line in found
                 if line.endswith(('.c', '.h', '.cpp'))}
        tree = self._git('ls-tree', '-r', revision, '--', *FOLDERS)
        hashes = {}
        for line in tree.decode().splitlines():
            about, path = line.split('\t')
            if path in names:
                hashes[path] = about.split()[2]
        return hashes

    def text(self, blob: str) -> str:
        """The content of a file by its hash."""
        return self._git('cat-file', 'blob', blob).decode(errors='replace')

    def file(self, revision: str, path: str) -> str:
        """A file of a revision, or '' if it has none there."""
        return self._git('show', f'{revision}:{path}',
                         ok=(0, 128)).decode(errors='replace')


def order(tag: str) -> tuple[int, ...]:
    """A key that sorts releases; of ``v26.09-pre`` that of ``v26.09``."""
    match = _FINAL(tag.removesuffix('-pre'))
    if match is None:
        raise ValueError(f'no release of SPDK: {tag}')
    return tuple(int(part or 0) for part in match.groups())
