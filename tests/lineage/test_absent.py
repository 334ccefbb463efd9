"""The search for absence finds a string in every form in which a file of a lake may hold it, and nothing that two values make together."""

from __future__ import annotations

import gzip
import json
import lzma
from hashlib import blake2b
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from headwater.errors import UsageError
from headwater.hashes import short_hashes
from headwater.lineage.checks.absent import Absence, _in_sequence, search_lake
from headwater.lineage.checks.needles import make_needles
from headwater.tokenize.encode.encoder import encode
from headwater.tokenize.forms.load import load_vocabulary
from headwater.tokenize.names import DEFAULT_VOCABULARY
from headwater.warehouse.commit import create_lake
from headwater.warehouse.snapshot import open_snapshot

CANARY = 'a "strange" canary'
DIGEST = blake2b(CANARY.encode(), digest_size=16).digest()


def _search(lake: Path, lines: list[str]) -> Absence:
    return search_lake(open_snapshot(str(lake)), make_needles(lines))


def _parquet(path: Path, values: list[object], kind: pa.DataType) -> None:
    pq.write_table(pa.table({"column": pa.array(values, kind)}), path, compression="zstd", write_statistics=False)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["x", f"before {CANARY} after"], pa.string()),
        ([None, CANARY.encode()], pa.binary()),
        ([["x"], ["y", CANARY]], pa.list_(pa.string())),
        ([[("key", CANARY)]], pa.map_(pa.string(), pa.string())),
        ([[(CANARY, 1)]], pa.map_(pa.string(), pa.int32())),
        ([{"a": 1, "b": CANARY}], pa.struct([("a", pa.int64()), ("b", pa.string())])),
        ([b"x", DIGEST], pa.binary()),
        ([3, int(short_hashes([CANARY])[0])], pa.int64()),
        ([json.dumps({"note": CANARY})], pa.string()),
    ],
)
def test_a_value_of_parquet(values: list[object], kind: pa.DataType, lake_folder: Path) -> None:
    """A string is found in a compressed column of any type, as itself, in JSON, and by its hashes of 128 and 64 bits."""
    create_lake(str(lake_folder))
    _parquet(lake_folder / "some.parquet", values, kind)
    found = _search(lake_folder, ["something else", CANARY]).found
    assert list(found) == ["some.parquet"]
    assert found["some.parquet"]["column column"] == [2]


def test_statistics_of_parquet(lake_folder: Path) -> None:
    """A footer's statistics hold least and greatest values as they are: they are found among the file's own bytes."""
    create_lake(str(lake_folder))
    pq.write_table(pa.table({"column": [CANARY]}), lake_folder / "some.parquet")
    assert _search(lake_folder, [CANARY]).found["some.parquet"]["bytes"] == [1]


def test_two_values_do_not_make_one(lake_folder: Path) -> None:
    """A string that begins in one value and ends in the next is in neither."""
    create_lake(str(lake_folder))
    _parquet(lake_folder / "some.parquet", [CANARY[:8], CANARY[8:]], pa.string())
    assert _search(lake_folder, [CANARY]).is_proof


@pytest.mark.parametrize(
    ("name", "pack"),
    [("x.gz", gzip.compress), ("x.xz", lzma.compress), ("x.zst", lambda data: pa.compress(data, "zstd", asbytes=True))],
)
def test_a_compressed_file(name: str, pack: object, lake_folder: Path) -> None:
    """What a file unpacks to is searched, across the ends of blocks too."""
    create_lake(str(lake_folder))
    data = b"a" * ((8 << 20) - 5) + CANARY.encode() + b"b" * 100
    (lake_folder / name).write_bytes(pack(data))  # type: ignore[operator]  # each is a function of bytes
    assert _search(lake_folder, [CANARY]).found == {name: {"unpacked": [1]}}


def test_a_damaged_file_is_no_proof(lake_folder: Path) -> None:
    """A file that cannot be read to its end may hold anything: it is named, and there is no proof."""
    create_lake(str(lake_folder))
    (lake_folder / "x.parquet").write_bytes(b"PAR1 no footer")
    found = _search(lake_folder, [CANARY])
    assert not found.is_proof
    assert list(found.unread) == ["x.parquet"]


def test_the_log_is_searched(lake_folder: Path) -> None:
    """An entry of the log with the string, in a schema for example, is named."""
    create_lake(str(lake_folder))
    assert set(_search(lake_folder, ["quarantine_reason"]).found) == {"samples/_delta_log/00000000000000000000.json"}


def test_tokens_are_decoded_and_cuts_seen() -> None:
    """A string is found in tokens whatever its neighbours, and by its longer half where a document is cut within it."""
    vocabulary = load_vocabulary(DEFAULT_VOCABULARY)
    needles = make_needles([CANARY])
    ids = encode(pa.array([f"some words,{CANARY}, and more"]), vocabulary)[0].astype(np.uint32)
    assert _in_sequence(ids, vocabulary, needles) == {1}
    found = [_in_sequence(part, vocabulary, needles) for at in range(1, len(ids)) for part in (ids[:at], ids[at:])]
    per_cut = [found[at] | found[at + 1] for at in range(0, len(found), 2)]
    assert all(each == {1} for each in per_cut)
    other = encode(pa.array(["some words, a strange carnation"]), vocabulary)[0].astype(np.uint32)
    assert _in_sequence(other, vocabulary, needles) == set()


@pytest.mark.parametrize("lines", [[], ["  "], ["short"]])
def test_lines_that_mean_nothing(lines: list[str]) -> None:
    """No line, and one that any lake holds by chance, are refused."""
    with pytest.raises(UsageError, match="--absent"):
        make_needles(lines)
