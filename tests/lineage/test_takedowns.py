"""Texts that were taken down are known again by keyed hashes: exactly, by their normalised form, and nearly as deduplication would."""

from __future__ import annotations

import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from headwater.errors import CorruptLakeError
from headwater.filters.duplicates.minhash import measure_minhash
from headwater.hashes import content_hashes
from headwater.lineage.keyed_hashes import find_key, hash_bytes, make_key, siphash
from headwater.lineage.takedowns import TakenTexts, keyed_rows
from headwater.warehouse.commit import create_lake

KEY = bytes(range(32))
TEXT = " ".join(f"word{number % 37} stone{number % 53} river{number}" for number in range(120))


def _rows(texts: list[str]) -> pa.Table:
    measured = pa.Table.from_batches([measure_minhash(pa.array(texts))])
    ids = pa.array(range(1, len(texts) + 1), pa.int64())
    return measured.append_column("sample_id", ids).append_column("content_hash", content_hashes(pa.array(texts)))


def _taken(texts: list[str]) -> TakenTexts:
    when = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    return TakenTexts(KEY, keyed_rows(KEY, _rows(texts), takedown="t", who="w", why="y", when=when, run_id="r"))


def test_siphash_is_the_published_one() -> None:
    """The test vector of 8 bytes of the authors' reference implementation."""
    assert siphash(bytes(range(16)), np.array([0x0706050403020100], np.uint64)).tolist() == [0x93F5F5799A932462]


def test_keyed_hashes_hold_no_plain_one() -> None:
    """Nothing stored equals the hashes that a lake holds of a text, and another key gives others."""
    rows = _rows([TEXT])
    when = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    keyed, other = (
        keyed_rows(key, rows, takedown="t", who="w", why="y", when=when, run_id="r").to_pylist()[0]
        for key in (KEY, KEY[::-1])
    )
    (plain,) = rows.to_pylist()
    assert keyed["text_mac"] not in (plain["content_hash"], other["text_mac"])
    assert keyed["normalized_mac"] not in (plain["normalized_hash"], other["normalized_mac"])
    assert set(keyed["band_macs"]).isdisjoint([*plain["bands"], *other["band_macs"]])
    assert keyed["signature_macs"] not in (plain["signature"], other["signature_macs"])


@pytest.mark.parametrize(
    ("text", "known"),
    [
        (TEXT, True),
        (TEXT.upper(), True),
        (TEXT.replace("river60 ", "creek60 "), True),
        (TEXT.replace("stone", "rock"), False),
        ("something else altogether, " * 30, False),
    ],
)
def test_a_near_text_is_known(text: str, known: bool) -> None:
    """The same text, its normalised form and one that agrees on 84 of 112 values are known; one that agrees on fewer is not."""
    found = _taken([TEXT, "another text " * 40]).known_rows(_shifted([text]), 84)
    assert found.tolist() == [known]


def _shifted(texts: list[str]) -> pa.Table:
    """Return rows of samples that were not taken down."""
    rows = _rows(texts)
    return rows.set_column(
        rows.column_names.index("sample_id"), "sample_id", pa.array(range(100, 100 + len(texts)), pa.int64())
    )


def test_agreement_is_that_of_signatures() -> None:
    """Equal keyed values are as many as equal values: at each limit the answer is that of the signatures themselves."""
    near = TEXT.replace("river60 ", "creek60 ").replace("river90 ", "creek90 ")
    rows = _rows([TEXT, near])
    one, other = (np.frombuffer(data, "<u4") for data in rows["signature"].to_pylist())
    agree = int((one == other).sum())
    assert 84 <= agree < 112
    taken = _taken([TEXT])
    assert [taken.known_rows(_shifted([near]), limit).tolist() for limit in (agree, agree + 1)] == [[True], [False]]


def test_a_short_text_is_known_by_its_normalised_form_alone() -> None:
    """A text of a few words has no bands; case does not matter, another word does."""
    taken = _taken(["A short text."])
    assert taken.known_rows(_shifted(["a SHORT text", "a short test"]), 84).tolist() == [True, False]
    assert taken.known_texts(content_hashes(pa.array(["A short text.", "a SHORT text"]))).tolist() == [True, False]


def test_a_lake_has_one_key(lake_folder: Path) -> None:
    """The key is made once; a file of another size in its place is damage, not a new key."""
    create_lake(str(lake_folder))
    assert find_key(str(lake_folder)) is None
    key = make_key(str(lake_folder))
    assert make_key(str(lake_folder)) == key
    (lake_folder / "takedowns" / "key").write_bytes(b"short")
    with pytest.raises(CorruptLakeError, match="restore it from a copy"):
        make_key(str(lake_folder))
    assert hash_bytes(key, b"") is None
