"""Builds of a lake: where their files lie, what made them, and the version of the table that they were made from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow.fs import FileType

from headwater.errors import CorruptLakeError, UsageError
from headwater.filters.spans.policy import Policy, policy_of
from headwater.fingerprint import fingerprint
from headwater.lineage.past_runs import Source, newest_ended, read_runs, require_build, runs_of
from headwater.lineage.revisions import build_version, newest_revision, revision_record
from headwater.tokenize.names import DEFAULT_VOCABULARY
from headwater.tokenize.shards.manifest import Manifest, read_manifest
from headwater.tokenize.shards.tokens import SUFFIXES, open_tokens
from headwater.warehouse.filesystem import exists, filesystem_of, join, read_bytes
from headwater.warehouse.parquet import FragmentFiles
from headwater.warehouse.schema import ALIGNED
from headwater.warehouse.snapshot import Snapshot, open_snapshot

if TYPE_CHECKING:
    import duckdb

    from headwater.tokenize.forms.load import Vocabulary

__all__ = [
    "LakeView",
    "build_policy",
    "build_vocabulary",
    "builds_uri",
    "check_texts_stand",
    "read_stage_manifest",
    "read_tokens",
    "require_named_build",
    "shard_name",
    "snapshot_then",
    "stage_operator",
    "text_operators",
]

_COUNTED: Final = pa.array(["spans", "tokens"])
PLACEMENTS_VERSION: Final = 2
"""Version of what writes family ``placements``."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LakeView:
    """What checks read: one version of the lake, a connection to it, and the build that was asked for.

    Attributes:
        fragments: whose texts are read again, ascending int64; None for all.
    """

    lake: str
    snapshot: Snapshot
    connection: duckdb.DuckDBPyConnection
    build: str | None
    fragments: npt.NDArray[np.int64] | None = None

    def read_again(self, fragments: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return those of some fragments whose texts are read again, ascending."""
        return fragments if self.fragments is None else np.intersect1d(fragments, self.fragments)

    def located(self) -> Iterator[FragmentFiles]:
        """Yield where the aligned families of each fragment lie."""
        return self.snapshot.locate(self.read_again(self.snapshot.covered("content")), ALIGNED)


def builds_uri(lake: str, build: str, stage: str = "") -> str:
    """Return the folder of a build, or of one of its stages."""
    return join(lake, "builds", build, stage) if stage else join(lake, "builds", build)


def require_named_build(snapshot: Snapshot, build: str | None) -> None:
    """Refuse the name of a build that neither has a folder nor was made by a run; a build whose folder is gone is a damage, and no wrong name.

    Raises:
        UsageError: there is none of that name; the message has the nearest one.
    """
    if build is None:
        return
    filesystem, path = filesystem_of(builds_uri(snapshot.lake, build))
    if filesystem.get_file_info(path).type == FileType.NotFound:
        require_build(snapshot, build)


def shard_name(number: int) -> str:
    """Return the stem of a shard's file names.

    >>> shard_name(7)
    'shard-00007'
    """
    return f"shard-{number:05d}"


def stage_operator(stage: str) -> str:
    """Return what names a stage in the file names of its placements."""
    return fingerprint({"placements": PLACEMENTS_VERSION, "stage": stage})


def read_stage_manifest(lake: str, build: str, stage: str) -> Manifest:
    """Return the manifest of one stage of a build.

    Raises:
        UsageError: there is no such build or stage, or it is not finished.
    """
    filesystem, path = filesystem_of(builds_uri(lake, build, stage))
    place = join(path, "manifest.json")
    if exists(filesystem, place) is None:
        raise UsageError(
            f"expected a finished stage {stage!r} of build {build!r}, found no manifest at {place}; "
            "headwater sql LAKE 'SELECT DISTINCT build, stage FROM placements' lists them"
        )
    return read_manifest(read_bytes(filesystem, place), place)


def read_tokens(lake: str, build: str, stage: str, shard: int, begin: int, end: int) -> npt.NDArray[np.uint32]:
    """Return tokens ``begin`` to ``end`` of a shard, from a file of any format that has it."""
    filesystem, path = filesystem_of(builds_uri(lake, build, stage))
    name = shard_name(shard)
    for suffix in SUFFIXES:
        place = join(path, name + suffix)
        if exists(filesystem, place) is not None:
            return open_tokens(filesystem, place).read(begin, end)
    raise CorruptLakeError(f"expected {name} in {path}, found it in no format; run verify")


def build_vocabulary(source: Source, lake: str, build: str) -> Vocabulary:
    """Return the vocabulary of a build, by the recipe of the newest run that wrote it.

    Raises:
        UsageError: it is no longer where the recipe names it.
    """
    from headwater.lineage.vocabularies import find_vocabulary  # the encoder loads a compiler

    found = runs_of(source, "build", build)
    return find_vocabulary(lake, found[-1].recipe["vocabulary"]["name"] if found else DEFAULT_VOCABULARY)


def build_policy(source: Source, build: str) -> Policy:
    """Return what a build's recipe does with personal data and secrets, by the newest run that wrote it."""
    found = runs_of(source, "build", build)
    return policy_of(found[-1].recipe.get("spans", {}) if found else {})


def snapshot_then(snapshot: Snapshot, build: str) -> Snapshot:
    """Return the version in which a build's spans and token counts stand: this one, or that of the build if settings changed since.

    A build that was revised after they changed stands on two: that of its revision, and for spans and token counts an earlier one.
    """
    version = build_version(snapshot, build)
    if version is None:
        return snapshot
    then = open_snapshot(snapshot.lake, version)
    revised = newest_revision(snapshot, build)
    earlier = None if revised is None else revision_record(revised).get("counted_at")
    if earlier is not None:
        then = _with_counts_of(then, open_snapshot(snapshot.lake, earlier))
    return snapshot if _operators(snapshot) == _operators(then) else then


def _with_counts_of(then: Snapshot, earlier: Snapshot) -> Snapshot:
    """Return a version with the spans and token counts of an earlier one."""
    own = then.files.filter(pc.invert(pc.is_in(then.files["family"], _COUNTED)))
    return replace(
        then, files=pa.concat_tables([own, earlier.files.filter(pc.is_in(earlier.files["family"], _COUNTED))])
    )


def check_texts_stand(snapshot: Snapshot, build: str, fragments: npt.NDArray[np.int64]) -> None:
    """Refuse a selection of texts that step extract has replaced since.

    Args:
        fragments: of the selection, ascending.

    Raises:
        UsageError: some fragment has other texts now than those that were selected.
    """
    if not read_runs(snapshot, "extract"):
        return
    selected = newest_ended(runs_of(snapshot, "select", build))
    if selected is None or selected.input_version == snapshot.version:
        return
    then = text_operators(open_snapshot(snapshot.lake, selected.input_version))
    now = text_operators(snapshot)
    replaced = [fragment for fragment in fragments.tolist() if then.get(fragment) != now.get(fragment)]
    if replaced:
        raise UsageError(
            f"expected the texts that build {build} selected, found other ones in {len(replaced)} fragments, which step extract has replaced since; "
            "select again, under another name"
        )


def text_operators(snapshot: Snapshot) -> dict[int, str]:
    """Return fragment → what made its texts; a file that a takedown wrote again without some of them has the operator of the one before."""
    files = snapshot.live("content")
    return dict(zip(files["base"].to_pylist(), files["operator"].to_pylist(), strict=True))


def _operators(snapshot: Snapshot) -> set[tuple[str, str]]:
    """Return (family, operator) of the live files that a build reads; content has another one where its texts were replaced."""
    return {
        (family, operator)
        for family in ("content", "spans", "tokens")
        for operator in snapshot.live(family)["operator"].to_pylist()
    }
