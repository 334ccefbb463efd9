"""Shard formats read back by readers that share no code with the writers."""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import struct
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from headwater.errors import CorruptLakeError, UsageError
from headwater.tokenize.forms.load import load_vocabulary
from headwater.tokenize.pack.strategies import Packed, pack
from headwater.tokenize.shards import megatron, npy
from headwater.tokenize.shards.boundaries import SCHEMA, boundaries_table, write_boundaries
from headwater.tokenize.shards.checking import check_files
from headwater.tokenize.shards.manifest import (
    Shard,
    ShardFile,
    make_manifest,
    read_manifest,
    read_shard,
    write_manifest,
    write_shard,
)
from headwater.tokenize.shards.merkle import merkle_root

CONTEXT = 16


@pytest.fixture(scope="module")
def packed() -> Packed:
    """Forty documents of 0 to 39 tokens, the last a copy of the first."""
    lengths = np.arange(40)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    tokens = (np.arange(offsets[-1]) * 7919 % 156_892).astype(np.uint32)
    groups = np.append(np.arange(39), 0).astype(np.int64)
    settings: dict[str, Any] = {"context": CONTEXT, "end_of_text": 156_892, "padding": 156_892, "seed": 1, "bucket": 0}
    return pack(tokens, offsets, groups, strategy="best_fit", **settings)


def read_megatron(prefix: Path) -> list[list[npt.NDArray[np.int32]]]:
    """Read an indexed dataset from the description of the format: the sequences of each document."""
    types = {1: "u1", 2: "i1", 3: "<i2", 4: "<i4", 5: "<i8", 6: "<f8", 7: "<f4", 8: "<u2"}
    index = prefix.with_suffix(".idx").read_bytes()
    assert index[:9] == b"MMIDIDX\x00\x00"
    (version,) = struct.unpack_from("<Q", index, 9)
    assert version == 1
    (code,) = struct.unpack_from("<B", index, 17)
    n_sequences, n_documents = struct.unpack_from("<QQ", index, 18)
    at = 34
    lengths = np.frombuffer(index, "<i4", n_sequences, at)
    pointers = np.frombuffer(index, "<i8", n_sequences, at := at + 4 * n_sequences)
    documents = np.frombuffer(index, "<i8", n_documents, at := at + 8 * n_sequences)
    assert at + 8 * n_documents == len(index)
    assert documents[0] == 0
    assert documents[-1] == n_sequences
    data = np.memmap(prefix.with_suffix(".bin"), mode="r", dtype=np.uint8)
    kind = np.dtype(types[code])
    sequences = [
        data[begin : begin + length * kind.itemsize].view(kind)
        for begin, length in zip(pointers.tolist(), lengths.tolist(), strict=True)
    ]
    assert sum(lengths.tolist()) * kind.itemsize == len(data)
    return [sequences[begin:end] for begin, end in itertools.pairwise(documents)]


def test_megatron_reader_finds_one_document_a_sequence(packed: Packed, tmp_path: Path) -> None:
    """An independent reader of `.bin/.idx` gets every sequence, each a document of its own, as int32."""
    with (tmp_path / "shard.bin").open("wb") as stream:
        megatron.write_tokens(stream, packed.sequences)
    with (tmp_path / "shard.idx").open("wb") as stream:
        megatron.write_index(stream, len(packed.sequences), CONTEXT)
    documents = read_megatron(tmp_path / "shard")
    assert [len(document) for document in documents] == [1] * len(packed.sequences)
    assert np.array_equal(np.stack([document[0] for document in documents]), packed.sequences)
    assert (tmp_path / "shard.bin").stat().st_size == packed.sequences.nbytes


def test_numpy_maps_the_array(packed: Packed, tmp_path: Path) -> None:
    """`np.load(mmap_mode="r")` gets the same tokens, and the file is what `np.save` writes."""
    with (tmp_path / "shard.npy").open("wb") as stream:
        npy.write_tokens(stream, packed.sequences)
    loaded = np.load(tmp_path / "shard.npy", mmap_mode="r")
    assert loaded.dtype == np.uint32
    assert np.array_equal(loaded, packed.sequences)
    np.save(tmp_path / "theirs.npy", packed.sequences)
    assert (tmp_path / "theirs.npy").read_bytes() == (tmp_path / "shard.npy").read_bytes()


def test_no_sequences_give_readable_files(tmp_path: Path) -> None:
    """A shard of nothing is a valid file in both formats."""
    empty = np.empty((0, CONTEXT), dtype=np.uint32)
    with (tmp_path / "shard.npy").open("wb") as stream:
        npy.write_tokens(stream, empty)
    assert np.load(tmp_path / "shard.npy").shape == (0, CONTEXT)
    buffer = io.BytesIO()
    megatron.write_tokens(buffer, empty)
    assert buffer.tell() == 0
    megatron.write_index(buffer, 0, CONTEXT)
    assert buffer.tell() == 34 + 8


def sidecar(packed: Packed, first: int = 0, last: int | None = None) -> pa.Table:
    """Return the sidecar of the fixture's documents."""
    hashes = pa.array([bytes([d]) * 16 for d in range(40)], pa.binary(16))
    copies = pa.array([0] * 39 + [1], pa.int32())
    return boundaries_table(packed, hashes, pa.array(range(40), pa.int64()), copies, first=first, last=last)


def test_boundaries_name_every_run(packed: Packed) -> None:
    """Runs of the sidecar, joined by document and copy, give each document; what no run covers is padding."""
    table = sidecar(packed).sort_by([("origin", "ascending"), ("sample_token_begin", "ascending")])
    flat = packed.sequences.ravel()
    assert sum(row["token_end"] - row["token_begin"] for row in table.to_pylist()) == packed.n_tokens
    for row in table.to_pylist():
        run = flat[row["token_begin"] : row["token_end"]]
        assert row["token_begin"] // CONTEXT == row["sequence"] == (row["token_end"] - 1) // CONTEXT
        assert (run[-1] == 156_892) == row["ends"]
        assert row["content_hash"] == bytes([row["origin"]]) * 16
        assert row["copy"] == (row["origin"] == 39)


def test_boundaries_of_two_shards_are_those_of_one(packed: Packed) -> None:
    """Cutting a bucket's sequences into shards numbers each shard from 0 and loses no run."""
    whole = sidecar(packed).to_pylist()
    second = sidecar(packed, 3).to_pylist()
    for row in second:
        row["sequence"] += 3
        row["token_begin"] += 3 * CONTEXT
        row["token_end"] += 3 * CONTEXT
    assert sidecar(packed, 0, 3).to_pylist() + second == whole


def test_boundaries_are_deterministic_and_carry_no_id_of_the_lake(packed: Packed) -> None:
    """The sidecar's bytes depend on its rows alone, and its columns are those of the schema."""
    first, second = io.BytesIO(), io.BytesIO()
    write_boundaries(first, sidecar(packed))
    write_boundaries(second, sidecar(packed))
    assert first.getvalue() == second.getvalue()
    read = pq.read_table(first, page_checksum_verification=True)
    assert read.column_names == SCHEMA.names
    assert not {"sample_id", "run_id"} & set(read.column_names)
    assert read.to_pylist() == sidecar(packed).to_pylist()


def test_another_schema_is_refused() -> None:
    """A table that is no sidecar is not written."""
    with pytest.raises(UsageError, match="boundaries: expected the columns"):
        write_boundaries(io.BytesIO(), pa.table({"sequence": [1]}))


def write_stage(folder: Path, packed: Packed) -> bytes:
    """Write one shard and return its manifest."""
    files = []
    for name in ("shard.bin", "shard.idx", "shard.npy"):
        with (folder / name).open("wb") as stream:
            if name == "shard.idx":
                megatron.write_index(stream, len(packed.sequences), CONTEXT)
            else:
                write = megatron.write_tokens if name == "shard.bin" else npy.write_tokens
                write(stream, packed.sequences)
        data = (folder / name).read_bytes()
        files.append(ShardFile(name=name, n_bytes=len(data), sha256=hashlib.sha256(data).hexdigest()))
    shard = Shard(
        number=0,
        sequences=len(packed.sequences),
        tokens=packed.n_tokens,
        padding=packed.n_padding,
        documents=packed.n_documents,
        longest_document=packed.longest,
        cut_documents=packed.n_cut_documents,
        cut_tokens=packed.n_cut_tokens,
        full_sequences=packed.n_full_sequences,
        files=tuple(files),
    )
    assert read_shard(write_shard(shard)) == shard
    manifest = make_manifest(
        stage="s",
        context=CONTEXT,
        vocabulary=load_vocabulary(),
        packing="best_fit",
        beginning_of_text=False,
        end_of_text=True,
        seed=1,
        buckets=1,
        recipe="0" * 32,
        shards=[shard],
    )
    return write_manifest(manifest)


def test_manifest_reads_back_and_adds_up(packed: Packed, tmp_path: Path) -> None:
    """A manifest is equal after writing and reading, totals are those of the shards, and tokens fill the sequences."""
    data = write_stage(tmp_path, packed)
    manifest = read_manifest(data)
    assert write_manifest(manifest) == data
    assert manifest.tokens + manifest.padding == manifest.sequences * manifest.context
    assert manifest.vocabulary == load_vocabulary().fingerprint
    assert check_files(manifest, lambda name: (tmp_path / name).open("rb")) == {}


def test_damaged_files_are_found_by_their_hash(packed: Packed, tmp_path: Path) -> None:
    """A flipped bit, a truncated and a missing file are each named with what is wrong."""
    manifest = read_manifest(write_stage(tmp_path, packed))
    data = bytearray((tmp_path / "shard.bin").read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "shard.bin").write_bytes(data)
    (tmp_path / "shard.npy").write_bytes((tmp_path / "shard.npy").read_bytes()[:-1])
    (tmp_path / "shard.idx").unlink()

    def open_file(name: str) -> BinaryIO:
        return (tmp_path / name).open("rb")

    damaged = check_files(manifest, open_file)
    assert set(damaged) == {"shard.bin", "shard.idx", "shard.npy"}
    assert damaged["shard.idx"] == "missing"
    assert damaged["shard.bin"].startswith("expected SHA-256")
    assert "bytes, found" in damaged["shard.npy"]


def test_foreign_manifests_are_refused(packed: Packed, tmp_path: Path) -> None:
    """Another format version is a usage error; anything else that is no manifest is corrupt."""
    content = json.loads(write_stage(tmp_path, packed))
    with pytest.raises(UsageError, match="expected format 2 or 3, found 1"):
        read_manifest(json.dumps({**content, "format": 1}).encode())
    strange = (
        {"revision": 1},
        {"revision": 2**63},
        {"revision": 10**12},
        {"replaces": "0" * 64},
        {"revisions": [{"number": 1}]},
        {"format": 2},
        {"more": 1},
    )
    for data in (b"", b"[]", b'{"format": 2}', *(json.dumps({**content, **each}).encode() for each in strange)):
        with pytest.raises(CorruptLakeError, match="expected a manifest"):
            read_manifest(data)


def test_manifests_of_the_format_before(packed: Packed, tmp_path: Path) -> None:
    """A manifest of format 2, without a root and revisions, is read, and written again byte for byte."""
    content = json.loads(write_stage(tmp_path, packed))
    for name in ("root", "revision", "replaces", "revisions"):
        del content[name]
    data = json.dumps({**content, "format": 2}, sort_keys=True, indent=1, ensure_ascii=False).encode() + b"\n"
    manifest = read_manifest(data)
    assert (manifest.root, manifest.revision, manifest.replaces, manifest.revisions) == (None, 0, None, ())
    assert write_manifest(manifest) == data


def _plain_root(leaves: list[bytes]) -> bytes:
    """Return the root by the words of RFC 6962, section 2.1."""
    if len(leaves) < 2:
        return sha256(b"".join(b"\0" + leaf for leaf in leaves)).digest()
    split = max(2**power for power in range(10) if 2**power < len(leaves))
    return sha256(b"\1" + _plain_root(leaves[:split]) + _plain_root(leaves[split:])).digest()


def test_roots() -> None:
    """The tree is that of RFC 6962, for any number of leaves, and gives the roots of Certificate Transparency's own test vectors."""
    vectors = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
    leaves = [bytes.fromhex(vector) for vector in vectors]
    for n in range(9):
        assert merkle_root(leaves[:n]) == _plain_root(leaves[:n]).hex()
    assert merkle_root(leaves[:1]) == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    assert merkle_root(leaves) == "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"
