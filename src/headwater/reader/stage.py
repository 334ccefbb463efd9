"""A stage's folder, open for reading: its manifest, which files hold the tokens, any sequence by its number."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from pyarrow import fs as pafs

from headwater.errors import CorruptLakeError, UsageError
from headwater.reader.batches import RUN
from headwater.reader.run_files import RunFiles, read_sidecar
from headwater.tokenize.shards.manifest import MANIFEST, MARK, Manifest, Shard, ShardFile, read_manifest
from headwater.tokenize.shards.tokens import SUFFIXES, TokenFile, open_tokens, suffix_of
from headwater.warehouse.filesystem import file_sha256, filesystem_of, is_local, join, read_bytes

__all__ = ["Stage", "open_stage"]

_SIDECAR: Final = ".boundaries.parquet"
_FILES_HELD: Final = 256
_FEW_HELD: Final = 16

SampleIds = Callable[[int, npt.NDArray[np.void]], npt.NDArray[np.int64]]
"""Given a shard's number and its runs, their sample_ids."""


class Stage:
    """Sequences 0 to ``len(stage)`` - 1, shard after shard; made by `open_stage`, and may be sent to other processes.

    Attributes:
        manifest: what was written.
        fingerprint: SHA-256 of the manifest, so of every file's hash: what a reader's state is bound to.
        uri: the folder.
        suffix: of the files that tokens are read from.
    """

    def __init__(
        self,
        *,
        manifest: Manifest,
        fingerprint: str,
        uri: str,
        suffix: str,
        files: Sequence[tuple[str, str]],
        stamp: tuple[int, int],
        sample_ids: SampleIds | None,
        scratch: str | None,
    ) -> None:
        self.manifest, self.fingerprint, self.uri, self.suffix = manifest, fingerprint, uri, suffix
        counts = [shard.sequences for shard in manifest.shards]
        self._first = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)]).astype(np.int64)
        self._numbers = np.array([shard.number for shard in manifest.shards], dtype=np.int64)
        self._files, self._sample_ids, self._scratch, self._stamp = files, sample_ids, scratch, stamp
        self._open()

    def _open(self) -> None:
        self._filesystem, self._path = filesystem_of(self.uri)
        self._most_held = (
            _FILES_HELD if is_local(self._filesystem) and not self.suffix.endswith(".parquet") else _FEW_HELD
        )
        self._held: OrderedDict[int, TokenFile] = OrderedDict()
        self._runs = RunFiles(self._decode, self._scratch)

    def __len__(self) -> int:
        """Return the number of sequences."""
        return int(self._first[-1])

    def __getstate__(self) -> dict[str, object]:
        """Send all but what is open."""
        closed = ("_filesystem", "_path", "_most_held", "_held", "_runs")
        return {name: value for name, value in self.__dict__.items() if name not in closed}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        self._open()

    def locate(self, sequences: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Return the number of each sequence's shard, and its own number in that shard."""
        places, numbers = self._places(sequences)
        return self._numbers[places], numbers

    def gather(self, sequences: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.void]]:
        """Return the tokens, uint32 [n, context], and the runs, `RUN`, of some sequences in the order given.

        Raises:
            UsageError: a number that no sequence has.
            CorruptLakeError: a file is not what the manifest says.
        """
        if len(sequences) and not (sequences.min() >= 0 and sequences.max() < len(self)):
            raise UsageError(
                f"expected sequences from 0 to {len(self) - 1}, found {int(sequences.min())} to {int(sequences.max())}"
            )
        context = self.manifest.context
        tokens = np.empty((len(sequences), context), dtype=np.uint32)
        parts = []
        places, numbers = self._places(sequences)
        for row, (place, number) in enumerate(zip(places.tolist(), numbers.tolist(), strict=True)):
            tokens[row] = self._tokens(place).read(number * context, (number + 1) * context)
            parts.append(self._runs.read(place, number))
        runs = np.frombuffer(b"".join(parts), dtype=RUN).copy()
        counts = [len(part) // RUN.itemsize for part in parts]
        runs["row"] = np.repeat(np.arange(len(sequences), dtype=np.int32), counts)
        return tokens, runs

    def _places(self, sequences: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Return the place of each sequence's shard in the manifest, and its own number in that shard."""
        places = np.searchsorted(self._first, sequences, side="right") - 1
        return places, sequences - self._first[places]

    def _check_unrevised(self) -> None:
        """Refuse a file opened a moment ago where the stage was revised since it was opened: a revision takes the manifest away first."""
        place = join(self._path, MANIFEST)
        stamp = _stamp_of(self._filesystem, place)
        if stamp == self._stamp:
            return
        found = None if stamp is None else hashlib.sha256(read_bytes(self._filesystem, place)).hexdigest()
        if found != self.fingerprint:
            raise CorruptLakeError(
                f"{self.uri}: expected manifest {self.fingerprint}, with which the stage was opened, found {found or 'none'}: it was revised since; "
                "open it again"
            )
        self._stamp = stamp

    def _tokens(self, place: int) -> TokenFile:
        found = self._held.get(place)
        if found is None:
            shard = self.manifest.shards[place]
            path = join(self._path, self._files[place][0])
            found = open_tokens(self._filesystem, path)
            self._check_unrevised()
            if found.n_tokens != shard.sequences * self.manifest.context:
                raise CorruptLakeError(
                    f"{path}: expected {shard.sequences} sequences of {self.manifest.context} tokens, found {found.n_tokens} tokens"
                )
            while len(self._held) >= self._most_held:
                self._held.popitem(last=False)
            self._held[place] = found
        return found

    def _decode(self, place: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.void]]:
        shard = self.manifest.shards[place]
        path = join(self._path, self._files[place][1])
        begins, runs = read_sidecar(self._filesystem, path, sequences=shard.sequences, context=self.manifest.context)
        self._check_unrevised()
        if self._sample_ids is not None:
            runs["sample_id"] = self._sample_ids(shard.number, runs)
        return begins, runs


def open_stage(
    folder: str | Path,
    *,
    suffix: str | None = None,
    verify: bool = False,
    scratch: str | None = None,
    sample_ids: SampleIds | None = None,
) -> Stage:
    """Return the stage in a folder: ``LAKE/builds/BUILD/STAGE``, or a copy of it anywhere.

    The size of every file that will be read is compared with the manifest's; files of other formats need not be there.

    Args:
        folder: a path, or the URI of a folder in an object store.
        suffix: of the files to read tokens from; None: the first of ``tokens.SUFFIXES`` that the folder has.
        verify: whether to read those files and the sidecars whole now and compare their SHA-256.
        scratch: folder for decoded boundaries; None: the system's for temporary files.
        sample_ids: gives sample_ids where a lake is there; ``Lake.stage`` sets it.

    Raises:
        UsageError: there is no stage in that folder, a revision of it is not in place, or none of its files holds tokens.
        CorruptLakeError: a file is missing, or its size or hash is not the manifest's.
    """
    filesystem, path = filesystem_of(str(folder))
    listed = filesystem.get_file_info(pafs.FileSelector(path, allow_not_found=True))
    sizes = {info.base_name: int(info.size) for info in listed if info.type == pafs.FileType.File}
    if MANIFEST not in sizes and MARK in sizes:
        raise UsageError(
            f"expected a stage at {folder}, found one of which a revision is being put in place, or was stopped; wait, or run the command again that "
            "revised it (or headwater build LAKE RECIPE --repair)"
        )
    if MANIFEST not in sizes:
        raise UsageError(f"expected the folder of a stage with its manifest.json, found none at {folder}")
    stamp = _stamp_of(filesystem, join(path, MANIFEST)) or (0, 0)
    data = read_bytes(filesystem, join(path, MANIFEST))
    manifest = read_manifest(data, join(path, MANIFEST))
    chosen = _suffix(manifest, sizes, suffix, path)
    files = []
    for shard in manifest.shards:
        pair = _named(shard, chosen, path), _named(shard, _SIDECAR, path)
        for file in pair:
            _check(filesystem, path, file, sizes.get(file.name), verify=verify)
        files.append((pair[0].name, pair[1].name))
    return Stage(
        manifest=manifest,
        fingerprint=hashlib.sha256(data).hexdigest(),
        uri=str(folder),
        suffix=chosen,
        files=files,
        stamp=stamp,
        sample_ids=sample_ids,
        scratch=scratch,
    )


def _stamp_of(filesystem: pafs.FileSystem, place: str) -> tuple[int, int] | None:
    """Return the size and the time of change of a file, None where there is none."""
    info = filesystem.get_file_info(place)
    return (int(info.size), int(info.mtime_ns or 0)) if info.type == pafs.FileType.File else None


def _suffix(manifest: Manifest, sizes: dict[str, int], wanted: str | None, path: str) -> str:
    """Return the suffix to read: the one asked for, or the first of which any file is in the folder."""
    if wanted is not None and wanted not in SUFFIXES:
        raise UsageError(f"expected a suffix of {', '.join(SUFFIXES)}, found {wanted!r}")
    there = {
        suffix
        for suffix in SUFFIXES
        for shard in manifest.shards
        for file in shard.files
        if suffix_of(file.name) == suffix and file.name in sizes
    }
    for suffix in SUFFIXES if wanted is None else (wanted,):
        if suffix in there or not manifest.shards:
            return suffix
    raise UsageError(
        f"expected files with tokens ({wanted or ', '.join(SUFFIXES)}) beside the manifest, found none in {path}"
    )


def _named(shard: Shard, suffix: str, path: str) -> ShardFile:
    for file in shard.files:
        if suffix_of(file.name) == suffix:
            return file
    raise CorruptLakeError(f"expected a {suffix} of shard {shard.number} in the manifest of {path}, found none")


def _check(filesystem: pafs.FileSystem, path: str, file: ShardFile, size: int | None, *, verify: bool) -> None:
    place = join(path, file.name)
    if size != file.n_bytes:
        found = "none" if size is None else f"{size}"
        raise CorruptLakeError(
            f"{place}: expected {file.n_bytes} bytes, found {found}; copy it again, or build --repair"
        )
    if verify and (sha256 := file_sha256(filesystem, place)) != file.sha256:
        raise CorruptLakeError(
            f"{place}: expected SHA-256 {file.sha256}, found {sha256}; copy it again, or build --repair"
        )
