"""Models of a lake: stored once, found by name, pin and SHA-256, and told apart from damage."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from score_models import length_model, write_model

from headwater.errors import CorruptLakeError, UsageError
from headwater.filters.scores.model import Input, ScoreModel
from headwater.filters.scores.shipped import SHIPPED, load_scorer, shipped_scorer
from headwater.lineage.checks.stored import score_models
from headwater.lineage.score_models import (
    StoredModel,
    find_scorer,
    lake_models,
    models_uri,
    scorer_of,
    store_scorer,
    stored_faults,
)
from headwater.lineage.score_reasons import moved_by
from headwater.warehouse.commit import create_lake


@pytest.fixture
def lake(lake_folder: Path) -> str:
    """An empty lake."""
    create_lake(str(lake_folder))
    return str(lake_folder)


def _stored(lake: str, folder: Path, bias: float = 0.0) -> StoredModel:
    folder.mkdir(exist_ok=True)
    return store_scorer(lake, load_scorer(write_model(folder, length_model("legal", bias))))


def test_a_model_is_stored_once_and_found(lake: str, tmp_path: Path) -> None:
    """By name, by SHA-256 and by both; storing it again changes nothing; one that ships is not stored."""
    stored = _stored(lake, tmp_path / "a")
    file = Path(models_uri(lake)) / f"legal.{stored.sha256}.json"
    before = file.stat().st_mtime_ns
    assert _stored(lake, tmp_path / "a") == stored
    assert file.stat().st_mtime_ns == before
    for found in (
        find_scorer(lake, "legal"),
        find_scorer(lake, "legal", stored.sha256),
        scorer_of(lake, stored.sha256),
    ):
        assert found.model.sha256 == stored.sha256
    store_scorer(lake, shipped_scorer("quality"))
    assert lake_models(lake) == [stored]
    assert scorer_of(lake, shipped_scorer("quality").model.sha256).model.name == "quality"
    assert stored_faults(lake) == (1, [])


def test_two_models_of_a_name(lake: str, tmp_path: Path) -> None:
    """The name alone does not say which; the pin does."""
    one, two = _stored(lake, tmp_path / "a"), _stored(lake, tmp_path / "b", 1.0)
    with pytest.raises(UsageError, match="say which with sha256"):
        find_scorer(lake, "legal")
    for each in (one, two):
        assert find_scorer(lake, "legal", each.sha256).model.sha256 == each.sha256


def test_a_shipped_name_pinned_to_a_model_of_the_lake(lake: str, tmp_path: Path) -> None:
    """A team's own model may have a shipped one's name; the pin tells them apart."""
    stored = store_scorer(lake, load_scorer(write_model(tmp_path, length_model("quality"))))
    assert find_scorer(lake, "quality").model.sha256 == shipped_scorer("quality").model.sha256
    assert find_scorer(lake, "quality", stored.sha256).model.sha256 == stored.sha256


def test_damage_is_told(lake: str, tmp_path: Path) -> None:
    """A changed file is damage with the way on, in verify too; one that is gone is not found."""
    stored = _stored(lake, tmp_path / "a")
    file = Path(models_uri(lake)) / f"legal.{stored.sha256}.json"
    file.write_bytes(file.read_bytes().replace(b'"legal"', b'"legul"'))
    with pytest.raises(CorruptLakeError, match="expected a score model in .*restore it from a copy, or add it again"):
        find_scorer(lake, "legal")
    count, faults = stored_faults(lake)
    assert (count, len(faults)) == (1, 1)
    file.unlink()
    with pytest.raises(UsageError, match="headwater score add"):
        scorer_of(lake, stored.sha256)


@pytest.mark.parametrize("name", ["nothing", "no/such/file.json", "x" * 5000, "a\0b"])
def test_names_that_nothing_has(lake: str, name: str) -> None:
    """What is neither shipped, nor the lake's, nor a file is one line."""
    with pytest.raises(UsageError, match="expected a shipped model, one in .* or the path of a file, found none"):
        find_scorer(lake, name)
    assert set(SHIPPED) == {"quality", "knowledge_density", "reasoning_density", "chain_of_thought", "domain"}


def test_why_without_its_model(lake: str) -> None:
    """A lake that has lost a model says so, and nothing is told of rows whose run is not known."""
    run = SimpleNamespace(operators={"scores": {"models": {"legal": "0" * 64}}})
    told = moved_by(lake, run, {"legal": 5, "quality": None}, {}, "en", lambda: None)  # type: ignore[arg-type] # of a run only this is read
    assert told == {
        "legal": {"model": "0" * 64, "score": 0.0001, "lacking": "the lake does not have the model any more"}
    }
    assert moved_by(lake, None, {"legal": 5}, {}, "en", lambda: None) == {}


def test_inputs_of_one_signal_are_one_feature(lake: str, tmp_path: Path) -> None:
    """Transforms of a signal are added up before the strongest are chosen; opposite ones cancel."""
    signals = ("gopher_words", "gopher_words", "hw_long_words_fraction", "c4_lines", "hw_digit_fraction")
    model = ScoreModel(
        name="legal",
        kind="linear",
        classes=("score",),
        inputs=tuple(Input(signal=each, limit=100.0) for each in signals),
        weights=((3.0, -2.5, 1.0, 0.25, 0.125),),
        biases=(0.0,),
        calibration={"*": (1.0, 0.0)},
    )
    stored = store_scorer(lake, load_scorer(write_model(tmp_path, model)))
    run = SimpleNamespace(operators={"scores": {"models": {"legal": stored.sha256}}})
    values = dict.fromkeys(signals, 1.0)
    told = moved_by(lake, run, {"legal": 50000}, values, "en", lambda: None)  # type: ignore[arg-type] # what it reads of a run
    assert [(each["input"], each["by"]) for each in told["legal"]["moved"]] == [
        ("long words", 1.0),
        ("words", 0.5),
        ("lines (c4)", 0.25),
    ]


def test_verify_misses_the_model_of_the_newest_scores(
    lake: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model of the lake that the newest run used must be there; one that shipped with another release need not, nor one of an older run."""
    stored = _stored(lake, tmp_path / "a")

    def ended(day: int, legal: str) -> SimpleNamespace:
        return SimpleNamespace(
            ended=datetime(2026, 1, day, tzinfo=UTC),
            operators={"scores": {"models": {"legal": legal, "quality": "1" * 64}}},
            recipe={
                "scores": [{"name": "legal", "model": "models/legal.json"}, {"name": "quality", "model": "quality"}]
            },
        )

    view: Any = SimpleNamespace(lake=lake, snapshot=None)  # Any: what the check reads of a view
    runs = [ended(1, "0" * 64), ended(2, stored.sha256)]
    monkeypatch.setattr("headwater.lineage.checks.stored.read_runs", lambda *_: runs)
    assert score_models(view) == (1, [])
    (Path(models_uri(lake)) / f"legal.{stored.sha256}.json").unlink()
    count, faults = score_models(view)
    assert count == 1
    assert len(faults) == 1
    assert f"score model {stored.sha256} of column legal, which the newest run of scores used, is gone" in faults[0]
    runs.clear()
    assert score_models(view) == (0, [])
