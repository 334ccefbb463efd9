"""How much `verify` reads again: all of a lake, a share of its files, or what has come since it was last verified.

What is narrow, the log, ids, counts, verdicts, records of builds, is checked whole at any scope. Files, texts and shards, nearly all of the
bytes, are chosen by a hash of their names: the same ones each time for the same share, so that a greater share holds a smaller one's.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b, sha256
from typing import Final

import numpy as np
import numpy.typing as npt
from pyarrow import fs as pafs

from headwater.errors import CorruptLakeError, HeadwaterError, StoreError, UsageError
from headwater.lineage.builds import builds_uri
from headwater.lineage.checks.pieces import Each, FilePiece, Piece, TextPiece
from headwater.lineage.past_runs import ended_builds
from headwater.plain import JsonObject
from headwater.tokenize.shards.manifest import MANIFEST
from headwater.untrusted import parse_json
from headwater.warehouse.filesystem import exists, filesystem_of, join, read_bytes, write_file
from headwater.warehouse.snapshot import Snapshot, open_snapshot

__all__ = ["EVERYTHING", "RECORD", "Scope", "Verified", "read_verified", "record_verified"]

RECORD: Final = "verified.json"
"""Beside the table: at which version everything was last verified."""
_FORMAT: Final = 2
_READ: Final = (1, 2)
"""Formats that are read; 1 has no digest of itself."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Verified:
    """What was whole when it was last verified.

    Attributes:
        version: of the table.
        paths: its live files, relative to the table.
        manifests: "build/stage" → SHA-256 of its manifest, hexadecimal, of the stages whose shards were read.
    """

    version: int
    paths: frozenset[str]
    manifests: Mapping[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Scope:
    """What is read again of files, texts and shards.

    Attributes:
        share: of them, above 0 and at most 1.
        since: what was verified before and is left out; None: nothing is left out.
    """

    share: float = 1.0
    since: Verified | None = None

    def __post_init__(self) -> None:
        """Refuse a share that is none."""
        if not 0 < self.share <= 1:  # NaN is neither
            raise UsageError(f"--share: expected a number above 0 and at most 1, found {self.share}")

    def limited(self, each: Each) -> Each:
        """Return what checks only pieces within this scope, by ``each``."""
        if self == EVERYTHING:
            return each

        def check(pieces: Iterable[Piece]) -> Iterator[tuple[int, list[str]]]:
            stands = functools.cache(self._stands)  # of a stage, whose manifest names all its shards
            yield from each(piece for piece in pieces if self._has(piece, stands))

        return check

    def _has(self, piece: Piece, stands: Callable[[str, str, str], bool]) -> bool:
        """Return whether a piece is read again."""
        if isinstance(piece, FilePiece | TextPiece):
            path = piece.path if isinstance(piece, FilePiece) else piece.where.files["content"][0]
            return self._takes(path) and (self.since is None or path not in self.since.paths)
        (shard,) = piece.manifest.shards
        name = f"{piece.build}/{piece.stage}/{shard.number}"
        return self._takes(name) and not stands(piece.lake, piece.build, piece.stage)

    def fragments(self, snapshot: Snapshot) -> npt.NDArray[np.int64] | None:
        """Return the fragments whose texts are read again, ascending int64; None for all."""
        if self == EVERYTHING:
            return None
        known = frozenset[str]() if self.since is None else self.since.paths
        paths = snapshot.paths_by_fragment("content")
        return np.array(
            sorted(number for number, path in paths.items() if path not in known and self._takes(path)), np.int64
        )

    def _takes(self, name: str) -> bool:
        if self.share == 1:
            return True
        drawn = int.from_bytes(blake2b(name.encode(), digest_size=8, person=b"verify").digest(), "big")
        return drawn < self.share * 2**64

    def _stands(self, lake: str, build: str, stage: str) -> bool:
        """Return whether a stage's shards were read when it was last verified, and its manifest is the same."""
        recorded = None if self.since is None else self.since.manifests.get(f"{build}/{stage}")
        return recorded is not None and _manifest_sha256(lake, build, stage) == recorded


EVERYTHING: Final = Scope()


def _manifest_sha256(lake: str, build: str, stage: str) -> str | None:
    filesystem, path = filesystem_of(join(builds_uri(lake, build, stage), MANIFEST))
    return None if exists(filesystem, path) is None else sha256(read_bytes(filesystem, path)).hexdigest()


def read_verified(lake: str) -> Verified | None:
    """Return what the lake's record says was last verified; None where there is none, or its version can no longer be opened.

    Raises:
        CorruptLakeError: the record is damaged.
    """
    filesystem, path = filesystem_of(join(lake, RECORD))
    if exists(filesystem, path) is None:
        return None
    try:
        found = parse_json(read_bytes(filesystem, path))
        whole = found["format"] in _READ and type(found["version"]) is int and found["version"] >= 0
        whole = whole and (found["format"] == 1 or found.pop("digest") == _digest(found))
        manifests = {str(name): str(digest) for name, digest in found["manifests"].items()} if whole else {}
    except (ValueError, KeyError, TypeError, AttributeError):
        whole = False
    if not whole:
        raise CorruptLakeError(
            f"expected a record of what was verified in {path}, found none that can be read; delete it, and everything is verified again"
        )
    try:
        then = open_snapshot(lake, found["version"])
    except StoreError:
        raise
    except HeadwaterError:  # the log was made anew, or goes no longer so far back
        return None
    return Verified(version=then.version, paths=frozenset(then.files["path"].to_pylist()), manifests=manifests)


def record_verified(snapshot: Snapshot) -> None:
    """Record that everything of a version was verified, the shards of builds that have ended among it.

    Raises:
        StorageError: the lake cannot be written.
    """
    lake = snapshot.lake
    known = {
        f"{build}/{stage}": digest
        for build in ended_builds(snapshot)
        for stage in _stages(lake, build)
        if (digest := _manifest_sha256(lake, build, stage)) is not None
    }
    record: JsonObject = {"format": _FORMAT, "version": snapshot.version, "manifests": known}
    record["digest"] = _digest(record)
    write_file(lake, RECORD, json.dumps(record, sort_keys=True, indent=1).encode() + b"\n", root=lake)


def _digest(record: JsonObject) -> str:
    """Return a hash of a record, which it holds itself: it decides what is not read again, so a flipped bit of it must be found."""
    return blake2b(json.dumps(record, sort_keys=True).encode(), digest_size=16).hexdigest()


def _stages(lake: str, build: str) -> list[str]:
    """Return the folders of a build."""
    filesystem, path = filesystem_of(builds_uri(lake, build))
    found = filesystem.get_file_info(pafs.FileSelector(path, allow_not_found=True))
    return sorted(info.base_name for info in found if info.type == pafs.FileType.Directory)
