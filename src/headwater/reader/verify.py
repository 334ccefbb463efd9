"""Checking a copy of a stage or of a build with what lies beside it alone: sizes, SHA-256 and roots; no lake.

    python -m headwater.reader verify DIR

A stage's manifest says what each of its files must be and gives the root over all of them; the `root.json` of a build gives the root over its
manifests. Whoever was told the root of a build can tell by it that no byte of any shard was changed, nor the manifests with them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO, cast

from pyarrow import fs as pafs

from headwater.errors import HeadwaterError, StoreError, UsageError
from headwater.tokenize.shards.checking import check_files
from headwater.tokenize.shards.manifest import MANIFEST, MARK, Manifest, read_manifest, root_of
from headwater.tokenize.shards.roots import ROOT, read_root
from headwater.warehouse.filesystem import exists, filesystem_of, join, read_bytes

__all__ = ["Verified", "verify_copy"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Verified:
    """What was found.

    Attributes:
        root: of the build, or of the stage; None where neither has one, since an earlier release wrote it.
        stages: stage → its root, None as above.
        files: how many were read.
        bytes: how many they hold.
        damaged: file, relative to the folder → what is wrong with it.
    """

    root: str | None
    stages: dict[str, str | None]
    files: int
    bytes: int
    damaged: dict[str, str]


def verify_copy(folder: str, suffixes: Sequence[str] = ()) -> Verified:
    """Read every file of a stage's folder, or of each stage of a build's folder, and return what is not as it was written.

    Args:
        folder: a path, or the URI of a folder in an object store.
        suffixes: only files that end so, such as ``.npy``, where a copy has no others; manifests and roots are checked whole.

    Raises:
        UsageError: the folder is neither a stage's nor a build's.
    """
    filesystem, path = filesystem_of(folder)
    if exists(filesystem, join(path, MANIFEST)) is not None or exists(filesystem, join(path, MARK)) is not None:
        damaged: dict[str, str] = {}
        found = _stage(filesystem, path, "", None, suffixes, damaged)
        root = None if found is None else found.root
        name = "" if found is None else found.stage
        return _verified(root, {name: root}, [found], suffixes, damaged)
    return _build(filesystem, path, folder, suffixes)


def _build(filesystem: pafs.FileSystem, path: str, folder: str, suffixes: Sequence[str]) -> Verified:
    damaged: dict[str, str] = {}
    root = None
    expected: dict[str, str] = {}
    if exists(filesystem, join(path, ROOT)) is not None:
        try:
            root, expected = read_root(read_bytes(filesystem, join(path, ROOT)), ROOT)
        except StoreError:
            raise
        except HeadwaterError as error:
            damaged[ROOT] = str(error)
    there = [
        info.base_name
        for info in filesystem.get_file_info(pafs.FileSelector(path, allow_not_found=True))
        if info.type == pafs.FileType.Directory
        and any(exists(filesystem, join(path, info.base_name, name)) is not None for name in (MANIFEST, MARK))
    ]
    if not there and not expected and not damaged:
        raise UsageError(
            f"expected the folder of a stage with its {MANIFEST}, or of a build with its stages, found neither at {folder}"
        )
    stages = {
        stage: _stage(filesystem, join(path, stage), f"{stage}/", expected.get(stage), suffixes, damaged)
        for stage in sorted({*there, *expected})
    }
    for stage in stages if expected else ():
        if stage not in expected:
            damaged[f"{stage}/{MANIFEST}"] = f"is of no stage that {ROOT} names"
    roots = {stage: None if manifest is None else manifest.root for stage, manifest in stages.items()}
    return _verified(root, roots, list(stages.values()), suffixes, damaged)


def _stage(
    filesystem: pafs.FileSystem,
    path: str,
    prefix: str,
    expected: str | None,
    suffixes: Sequence[str],
    damaged: dict[str, str],
) -> Manifest | None:
    """Add what is wrong with a stage to ``damaged`` and return its manifest, None where it cannot be read."""
    place, name = join(path, MANIFEST), f"{prefix}{MANIFEST}"
    if exists(filesystem, place) is None:
        marked = exists(filesystem, join(path, MARK)) is not None
        damaged[name] = "missing" + (": a revision is being put in place, or was stopped" if marked else "")
        return None
    data = read_bytes(filesystem, place)
    if expected is not None and hashlib.sha256(data).hexdigest() != expected:
        damaged[name] = f"expected SHA-256 {expected}, found {hashlib.sha256(data).hexdigest()}"
    try:
        manifest = read_manifest(data, name)
    except HeadwaterError as error:
        damaged[name] = str(error)
        return None
    if manifest.root is not None and manifest.root != root_of(manifest.shards):
        damaged.setdefault(
            name, f"expected root {root_of(manifest.shards)} of the files that it names, found {manifest.root}"
        )
    faults = check_files(manifest, partial(_open, filesystem, path), _chosen(suffixes))
    damaged |= {f"{prefix}{file}": fault for file, fault in faults.items()}
    return manifest


def _open(filesystem: pafs.FileSystem, folder: str, name: str) -> BinaryIO:
    # Without compression=None a .gz is read unpacked.
    return cast(BinaryIO, filesystem.open_input_stream(join(folder, name), compression=None))


def _chosen(suffixes: Sequence[str]) -> tuple[str, ...]:
    return tuple(suffixes) or ("",)


def _verified(
    root: str | None,
    stages: dict[str, str | None],
    manifests: Sequence[Manifest | None],
    suffixes: Sequence[str],
    damaged: dict[str, str],
) -> Verified:
    files = [
        file
        for manifest in manifests
        if manifest is not None
        for shard in manifest.shards
        for file in shard.files
        if file.name.endswith(_chosen(suffixes))
    ]
    return Verified(
        root=root, stages=stages, files=len(files), bytes=sum(file.n_bytes for file in files), damaged=damaged
    )
