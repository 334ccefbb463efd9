from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from text_lake import Document, make_text_lake

from headwater.errors import UsageError
from headwater.hashes import content_hashes
from headwater.lineage.vocabularies import (
    check_vocabulary_name,
    find_vocabulary,
    lake_vocabularies,
    store_vocabulary,
)
from headwater.pipelines.recipe.vocabulary import SampleSettings, VocabularyRecipe, VocabularyTraining
from headwater.pipelines.vocabulary import counts as vocabulary_counts
from headwater.pipelines.vocabulary.counts import (
    BINS,
    CountJob,
    CountTarget,
    count_target,
    known_target,
    merge_bin,
    read_bin,
)
from headwater.pipelines.vocabulary.learn import learn
from headwater.pipelines.vocabulary.sample import Sample, _at_most, _find_cut, _passing, _step, plan_sample
from headwater.pipelines.vocabulary.targets import TextCell
from headwater.tokenize.encode.encoder import decode, encode
from headwater.tokenize.forms.load import write_vocabulary
from headwater.warehouse.commit import create_lake
from headwater.warehouse.fragments import sample_ids
from headwater.warehouse.snapshot import Snapshot

_TEXTS = [f"the river number {number} flows to the sea, the sea is blue" for number in range(60)]
_RECIPE = VocabularyRecipe(name="test", training=VocabularyTraining(n_ids=280, min_sources=1, min_documents=3))


def _lake(lake: Path, fragments: Sequence[Sequence[str]]) -> Snapshot:
    """Make a lake of some texts, annotated by hand, without Spark."""
    return make_text_lake(
        lake,
        [
            [
                Document(text, f"https://site{len(text) % 2}{text[17]}.example.org/", origin=origin)
                for origin, text in enumerate(texts)
            ]
            for texts in fragments
        ],
    )


def _counts(snapshot: Snapshot, folder: Path, per_target: int = 1) -> pa.Table:
    """Count all texts of a lake, so many fragments a task, and merge what was counted."""
    located = list(snapshot.locate(snapshot.covered("content"), ["language", "scores", "spans"]))
    job = CountJob(table=snapshot.uri, folder=str(folder), max_document_bytes=1000, languages=frozenset())
    parts: list[str] = []
    for begin in range(0, len(located), per_target):
        target = CountTarget(fragments=tuple(located[begin : begin + per_target]))
        ids = np.concatenate([sample_ids(where.fragment, 0, 1000) for where in target.fragments])
        counted = count_target(job, target, ids)
        assert known_target(str(folder), target) == counted
        parts += counted.parts
    merged = [merge_bin(str(folder), parts, number) for number in range(BINS)]
    return pa.concat_tables([read_bin(str(folder), name, 0) for name, _, _ in merged])


@pytest.mark.parametrize("held", [1_000_000, 40])
def test_counts_do_not_depend_on_how_the_work_is_cut(
    tmp_path: Path, held: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One task or several, parts written when few pieces are held or many: the same counts, so the same vocabulary."""
    one = _counts(_lake(tmp_path / "a", [_TEXTS]), tmp_path / "counts-a")
    monkeypatch.setattr(vocabulary_counts, "_HELD_PIECES", held)
    snapshot = _lake(tmp_path / "b", [_TEXTS[40:], _TEXTS[:15], _TEXTS[15:40]])
    for per_target in (1, 3):
        other = _counts(snapshot, tmp_path / f"counts-{per_target}", per_target)
        assert other.sort_by([("piece", "ascending")]) == one.sort_by([("piece", "ascending")])
    made, refused = learn(one, _RECIPE, "a", None)
    again, _ = learn(other, _RECIPE, "b", None)
    assert made.fingerprint == again.fingerprint
    assert {"documents", "sources"} <= set(refused)


def test_a_trained_vocabulary_is_kept_and_found_by_name(tmp_path: Path) -> None:
    """What was stored is found by the lake's name for it, encodes and decodes; another of the same name is refused."""
    snapshot = _lake(tmp_path / "lake", [_TEXTS])
    counts, lake = _counts(snapshot, tmp_path / "counts"), str(tmp_path / "lake")
    made, _ = learn(counts, _RECIPE, "mine", None)
    store_vocabulary(lake, "mine", write_vocabulary(made))
    store_vocabulary(lake, "mine", write_vocabulary(made))
    found = find_vocabulary(lake, "mine")
    assert (found.fingerprint, found.n_ids) == (made.fingerprint, 280)
    assert lake_vocabularies(lake) == ["mine"]
    tokens, _ = encode(pa.array(_TEXTS[:3]), found)
    assert decode(tokens, found).decode() == "".join(_TEXTS[:3])
    assert len(tokens) < sum(map(len, _TEXTS[:3])) / 2
    larger = VocabularyRecipe(name="test", training=VocabularyTraining(n_ids=284, min_sources=1, min_documents=3))
    extended, _ = learn(counts, larger, "more", found)
    assert (extended.n_ids, extended.base_ids) == (284, 280)
    with pytest.raises(UsageError, match="choose another name"):
        store_vocabulary(lake, "mine", write_vocabulary(extended))
    with pytest.raises(UsageError, match="did you mean 'mine'"):
        find_vocabulary(lake, "mime")
    with pytest.raises(UsageError, match="shipped"):
        check_vocabulary_name("headwater-156k")


def test_the_choice_depends_on_texts_alone(tmp_path: Path) -> None:
    """A cut takes the same texts in whatever fragments they lie, and about the share of keys that it covers."""
    settings = SampleSettings()
    chosen = []
    for name, fragments in (("a", [_TEXTS]), ("b", [_TEXTS[30:], _TEXTS[:30]])):
        snapshot = _lake(tmp_path / name, fragments)
        sample = plan_sample(snapshot, settings)
        assert (sample.where, sample.distinct) == ("TRUE", False)
        found: set[bytes] = set()
        for texts in fragments:
            text = pa.array(texts)
            table = pa.table(
                {
                    "text_bytes": pa.array([len(each) for each in texts], pa.int64()),
                    "content_hash": content_hashes(text),
                    "language": ["en"] * len(texts),
                    "domain": ["general"] * len(texts),
                }
            )
            rows = _passing(sample, table)
            assert rows is not None
            mask = _at_most(rows, {TextCell("en", "general"): 2**63})
            found |= set(rows.table.filter(pa.array(mask))["content_hash"].to_pylist())
        chosen.append(found)
    assert chosen[0] == chosen[1]
    assert 10 < len(chosen[0]) < 50


def test_bins_cover_every_key_up_to_the_limit() -> None:
    """The last key of a limit is in the last bin, and a cut never lies beyond the limit."""
    for limit in (1, 2047, 2048, 10**12, 2**64 - 1):
        assert limit // _step(limit) < 2048
        assert _find_cut({0: (1, 10), 2047: (1, 10)}, 20, limit) in (None, limit, 2048 * _step(limit) - 1)
    assert _find_cut({0: (1, 10)}, 11, 100) is None


def test_samples_that_were_not_annotated_are_an_error(tmp_path: Path) -> None:
    """A lake without rows, and one without verdicts that the recipe's where reads, say which step is missing."""
    with pytest.raises(UsageError, match="run ingest first"):
        plan_sample(create_lake(str(tmp_path / "empty")), SampleSettings())
    snapshot = _lake(tmp_path / "lake", [_TEXTS])
    with pytest.raises(UsageError, match="family verdicts.*run decide first"):
        plan_sample(snapshot, SampleSettings(where="kept"))
    assert isinstance(plan_sample(snapshot, SampleSettings(where="language = 'en'")), Sample)
