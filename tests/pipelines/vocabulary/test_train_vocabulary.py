"""A vocabulary trained on a lake, from the choice of samples to the committed rows, each phase against a slow reference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa
import pytest
from text_lake import Document, make_text_lake

from headwater.errors import UsageError
from headwater.hashes import bytes_of_hashes, content_hashes, mix_hashes
from headwater.lineage.vocabularies import find_vocabulary
from headwater.pipelines.recipe.vocabulary import SampleSettings, VocabularyRecipe, VocabularyTraining
from headwater.pipelines.vocabulary.learn import learn
from headwater.pipelines.vocabulary.sample import choose_sample, chosen_ids, locate_samples, plan_sample
from headwater.pipelines.vocabulary.step import TrainedVocabulary, train_vocabulary
from headwater.pipelines.vocabulary.targets import TextCell, sample_targets
from headwater.tokenize.encode.encoder import encode
from headwater.tokenize.train.piece_counts import count_pieces, merge_counts
from headwater.warehouse.fragments import sample_ids
from headwater.warehouse.parquet import read_file
from headwater.warehouse.snapshot import open_snapshot

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark

_MOST_BYTES = 100
_SAMPLE = SampleSettings(
    text_bytes=6000, temperature=2.0, domains={"code": 0.3, "*": 0.7}, max_document_bytes=_MOST_BYTES, seed=5
)
_TRAINING = VocabularyTraining(n_ids=280, min_sources=2, min_documents=3, weights={"de": 2.0})
_RECIPE = VocabularyRecipe(name="test", sample=_SAMPLE, training=_TRAINING)


def _documents() -> list[Document]:
    """Return 200 documents of two languages and two domains, some longer than may be taken, and a copy of every tenth."""
    made = []
    for number in range(200):
        language = "de" if number % 3 == 0 else "en"
        words = "der Fluß fließt und fließt zum Meer, " if language == "de" else "the river flows to the sea, "
        text = f"{number:03} " + words * (1 + number % 5)
        host = f"site{number % 4}.example.org"
        domain = "code" if number % 4 == 1 else "general"
        made.append(Document(text, f"https://{host}/{number}", language, domain, origin=1000 - number))
    copies = [
        each._replace(uri=f"https://copies.example.org/{each.origin}", origin=5000 + each.origin) for each in made[::10]
    ]
    # A copy that is not the one to take stands before its original.
    return [*copies, *made]


class _Sample(NamedTuple):
    number: int
    document: Document
    key: int

    @property
    def cell(self) -> TextCell:
        return TextCell(self.document.language, self.document.domain)

    @property
    def size(self) -> int:
        return min(_MOST_BYTES, len(self.document.text.encode()))


def _expected(
    fragments: Sequence[Sequence[Document]],
) -> tuple[dict[TextCell, int], dict[TextCell, int], list[_Sample]]:
    """Return bytes there and asked of each cell, and the samples to choose: of each text the smallest origin, of each cell the first by key."""
    samples = []
    for fragment, documents in enumerate(fragments):
        hashes = bytes_of_hashes(pa.chunked_array([content_hashes(pa.array([each.text for each in documents]))]))
        salt = pa.array([0x766F6361] * len(documents), pa.int64()).to_numpy()
        keys = mix_hashes("order", _SAMPLE.seed, hashes, salt).tolist()
        numbers = sample_ids(fragment, 0, len(documents)).tolist()
        samples += [_Sample(*row) for row in zip(numbers, documents, keys, strict=True)]
    samples.sort(key=lambda each: (each.key, each.document.origin))
    distinct = [next(same) for _, same in groupby(samples, key=lambda each: each.key)]
    there: dict[TextCell, int] = {}
    for each in distinct:
        there[each.cell] = there.get(each.cell, 0) + each.size
    asked = sample_targets(there, _SAMPLE)
    chosen, got = [], dict.fromkeys(there, 0)
    for each in distinct:
        if got[each.cell] < asked[each.cell]:
            got[each.cell] += each.size
            chosen.append(each)
    return there, asked, chosen


@pytest.mark.parametrize("decided", [False, True])
def test_the_choice_is_that_of_a_slow_reference(spark: SparkSession, tmp_path: Path, decided: bool) -> None:
    """Where copies were rejected and where nothing was decided: the same texts, each once, up to the bytes asked of its cell."""
    documents = _documents()
    if decided:
        documents = [each._replace(kept=each.origin < 5000) for each in documents]
    fragments = [documents[:90], documents[90:120], documents[120:]]
    snapshot = make_text_lake(tmp_path / "lake", fragments)
    sample = plan_sample(snapshot, _SAMPLE)
    assert (sample.where, sample.distinct) == (("kept", True) if decided else ("TRUE", False))
    located = locate_samples(snapshot, sample)
    chosen, there, asked = choose_sample(spark, snapshot, located, sample)
    expected_there, expected_asked, expected = _expected(fragments)
    assert there == expected_there
    assert asked == expected_asked
    assert all(0 < asked[cell] < there[cell] for cell in there)
    found = {row.sample_id for row in chosen_ids(spark, snapshot, located, chosen).collect()}
    assert found == {each.number for each in expected}


def test_nothing_passes(spark: SparkSession, tmp_path: Path) -> None:
    """A condition that no sample meets is an error that repeats it."""
    snapshot = make_text_lake(tmp_path / "lake", [_documents()[:5]])
    sample = plan_sample(snapshot, replace(_SAMPLE, where="language = 'fi'"))
    with pytest.raises(UsageError, match="where = \"language = 'fi'\", found none"):
        choose_sample(spark, snapshot, locate_samples(snapshot, sample), sample)


def _texts(chosen: Sequence[_Sample]) -> pa.Array:
    return pa.array([each.document.text.encode()[:_MOST_BYTES].decode(errors="ignore") for each in chosen])


def _counted(chosen: Sequence[_Sample]) -> pa.Table:
    """Return the counts of the chosen texts, taken in one piece."""
    documents = [each.document for each in chosen]
    return merge_counts(
        [
            count_pieces(
                _texts(chosen),
                content_hashes(pa.array([each.text for each in documents])),
                pa.array([each.uri.split("/")[2] for each in documents]),
                pa.array([each.language if each.language == "de" else "*" for each in documents]),
            )
        ]
    )


def _rows(lake: Path) -> dict[str, dict[int, int]]:
    """Return fingerprint of a vocabulary → sample → bytes taken, as family ``vocabularies`` has it."""
    snapshot = open_snapshot(str(lake))
    found: dict[str, dict[int, int]] = {}
    for path in snapshot.paths("vocabularies"):
        for table in read_file(snapshot.uri, path, ["vocabulary", "sample_id", "sampled_bytes"]):
            for row in table.to_pylist():
                found.setdefault(row["vocabulary"], {})[row["sample_id"]] = row["sampled_bytes"]
    return found


def _assert_as_expected(made: TrainedVocabulary, chosen: Sequence[_Sample]) -> None:
    got = {TextCell(row["language"], row["domain"]): (row["documents"], row["got"]) for row in made.cells}
    sizes = dict(zip(chosen, (len(text.encode()) for text in _texts(chosen).to_pylist()), strict=True))
    for cell, row in got.items():
        mine = [size for each, size in sizes.items() if each.cell == cell]
        assert row == (len(mine), sum(mine))
    assert (made.documents, made.text_bytes) == (len(chosen), sum(sizes.values()))


def test_train_and_extend(spark: SparkSession, tmp_path: Path) -> None:
    """The vocabulary is that learned from the reference's texts; its rows name them; again does nothing; an extension keeps the base."""
    documents, lake = _documents(), tmp_path / "lake"
    fragments = [documents[:90], documents[90:120], documents[120:]]
    make_text_lake(lake, fragments)
    _, _, chosen = _expected(fragments)
    counts = _counted(chosen)

    made = train_vocabulary(spark, str(lake), _RECIPE, "mine")
    slow, refused = learn(counts, _RECIPE, "mine", None)
    assert (made.fingerprint, made.n_ids, made.known) == (slow.fingerprint, 280, False)
    assert (dict(made.refused), made.pieces, made.left_out) == (refused, len(counts), 0)
    _assert_as_expected(made, chosen)
    sizes = {each.number: len(text.encode()) for each, text in zip(chosen, _texts(chosen).to_pylist(), strict=True)}
    assert _rows(lake) == {made.fingerprint: sizes}
    assert [path.name for path in (lake / "vocabularies").iterdir()] == ["mine.json.xz"]

    version = open_snapshot(str(lake)).version
    again = train_vocabulary(spark, str(lake), _RECIPE, "mine")
    assert (again.known, again.fingerprint, again.n_ids) == (True, made.fingerprint, made.n_ids)
    assert open_snapshot(str(lake)).version == version
    with pytest.raises(UsageError, match="expected no vocabulary named mine.*choose another name"):
        train_vocabulary(spark, str(lake), replace(_RECIPE, name="other"), "mine")
    with pytest.raises(UsageError, match=r"n_ids: expected more than the 280 that mine uses, found 280"):
        train_vocabulary(spark, str(lake), _RECIPE, "more", "mine")

    larger = replace(_RECIPE, training=replace(_TRAINING, n_ids=288))
    extended = train_vocabulary(spark, str(lake), larger, "more", "mine")
    base = find_vocabulary(str(lake), "mine")
    assert (extended.base, extended.n_ids) == ("mine", 288)
    assert extended.fingerprint == learn(counts, larger, "more", base)[0].fingerprint
    assert _rows(lake) == {made.fingerprint: sizes, extended.fingerprint: sizes}
    text = pa.array([documents[-1].text])
    assert len(encode(text, find_vocabulary(str(lake), "more"))[0]) <= len(encode(text, base)[0])


def test_a_sample_too_small_for_the_rules(spark: SparkSession, tmp_path: Path) -> None:
    """Tokens that could stand in no sample are told by the key to lower, and nothing is stored."""
    documents = [each._replace(uri="https://one.example.org/") for each in _documents()[20:40]]
    make_text_lake(tmp_path / "lake", [documents])
    with pytest.raises(
        UsageError, match=r"\[training\] min_sources: expected at most the 1 that the sample has, found 2"
    ):
        train_vocabulary(spark, str(tmp_path / "lake"), _RECIPE, "mine")
    assert _rows(tmp_path / "lake") == {}
    assert not (tmp_path / "lake" / "vocabularies" / "mine.json.xz").exists()
