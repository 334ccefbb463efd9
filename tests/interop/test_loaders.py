"""The libraries that trainers use load what a build or an export wrote: every sequence, in order, token for token."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from loader_python import run_with_loaders
from small_build import BUILD, CONTEXT, STAGE, write_build

from headwater.pipelines.builds.export import export

pytestmark = pytest.mark.interop

LOADERS = Path(__file__).parent / "loaders"
SMALL = 4 * CONTEXT * 5
"""Bytes of five sequences: several files a shard."""


def test_megatron_core_reads_a_build(tmp_path: Path) -> None:
    """megatron-core's IndexedDataset finds each packed sequence as a document of its own, as int32."""
    sequences, _ = write_build(tmp_path, ["megatron"])
    folder = tmp_path / "builds" / BUILD / STAGE
    prefixes = [str(path.with_suffix("")) for path in sorted(folder.glob("*.bin"))]
    found = run_with_loaders(LOADERS / "read_megatron.py", *prefixes)
    assert len(prefixes) == 2
    assert found["dtype"] == "int32"
    assert np.array_equal(np.array(found["sequences"]), sequences)
    counts = [len(documents) - 1 for documents in found["documents"]]
    assert found["documents"] == [list(range(count + 1)) for count in counts]
    assert sum(counts) == len(sequences)


def test_litdata_reads_an_export(tmp_path: Path) -> None:
    """litdata's StreamingDataset with TokensLoader gives every sequence by place and in a stream, as int32."""
    sequences, _ = write_build(tmp_path, ["npy"])
    export(str(tmp_path), BUILD, str(tmp_path / "out"), kind="litdata", stages=[STAGE], chunk_bytes=SMALL)
    assert len(list((tmp_path / "out" / STAGE).glob("chunk-*.bin"))) > 2
    found = run_with_loaders(LOADERS / "read_litdata.py", str(tmp_path / "out" / STAGE), str(CONTEXT))
    assert found["dtype"] == "torch.int32"
    assert np.array_equal(np.array(found["sequences"]), sequences)
    assert np.array_equal(np.array(found["streamed"]), sequences)


def test_mosaicml_streaming_reads_an_export(tmp_path: Path) -> None:
    """mosaicml-streaming, in the version of numpy it wants, checks each shard's hash and gives tokens, runs and places."""
    sequences, runs = write_build(tmp_path, ["parquet"])
    export(str(tmp_path), BUILD, str(tmp_path / "out"), kind="mds", stages=[STAGE], chunk_bytes=SMALL)
    places = [str(tmp_path / "out" / STAGE), str(tmp_path / "local"), "xxh64"]
    found = run_with_loaders(LOADERS / "read_mds.py", *places, environment="mds")
    columns = found["columns"]
    assert found["dtype"] == "int32"
    assert found["numpy"].startswith("2.1.")
    assert np.array_equal(np.array(columns["tokens"]), sequences)
    expected = runs.to_pandas()
    expected["start"] = expected["sequence"] * CONTEXT
    for sequence, group in expected.groupby("sequence"):
        assert columns["run_begin"][sequence] == (group["token_begin"] - group["start"]).tolist()
        assert columns["run_end"][sequence] == (group["token_end"] - group["start"]).tolist()
        assert columns["content_hash"][sequence] == b"".join(group["content_hash"]).hex()
        for name in ("origin", "copy", "sample_token_begin"):
            assert columns[name][sequence] == group[name].tolist()
        assert columns["shard"][sequence] == group["shard"].iloc[0]
    firsts = [columns["sequence"][place] for place in range(len(sequences))]
    assert firsts == [place for shard in (0, 1) for place in range(columns["shard"].count(shard))]


def test_mosaicml_streaming_finds_a_flipped_bit(tmp_path: Path) -> None:
    """A damaged shard fails its hash when it is copied, so the hashes of the index are those of the files."""
    write_build(tmp_path, ["megatron"])
    export(str(tmp_path), BUILD, str(tmp_path / "out"), kind="mds", stages=[STAGE], chunk_bytes=SMALL)
    path = tmp_path / "out" / STAGE / "shard.00000.mds"
    data = bytearray(path.read_bytes())
    data[-3] ^= 1
    path.write_bytes(data)
    places = [str(tmp_path / "out" / STAGE), str(tmp_path / "local"), "sha1"]
    found = run_with_loaders(LOADERS / "read_mds.py", *places, environment="mds")
    assert "hash" in found["error"].lower() or "checksum" in found["error"].lower()


def test_index_of_mds_is_what_its_library_writes(tmp_path: Path) -> None:
    """Each shard in the index has exactly the keys that version 2 has, its columns by name, and the SHA-1 of its file."""
    write_build(tmp_path, ["megatron"])
    export(str(tmp_path), BUILD, str(tmp_path / "out"), kind="mds", stages=[STAGE])
    index = json.loads((tmp_path / "out" / STAGE / "index.json").read_text())
    keys = "column_encodings column_names column_sizes compression format hashes raw_data samples size_limit version zip_data"
    assert index["version"] == 2
    assert [" ".join(sorted(shard)) for shard in index["shards"]] == [keys, keys]
    for shard in index["shards"]:
        data = (tmp_path / "out" / STAGE / shard["raw_data"]["basename"]).read_bytes()
        assert shard["raw_data"]["hashes"]["sha1"] == hashlib.sha1(data, usedforsecurity=False).hexdigest()
    assert index["shards"][0]["column_names"] == sorted(index["shards"][0]["column_names"])
