"""The words of a text as an input: the kernel's odds are those of the package fasttext on the beginning of the text."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path

import fasttext
import numpy as np
import pyarrow as pa
import pytest

from headwater.errors import BadInputError, UsageError
from headwater.filters.scores.model import ScoreModel, Words
from headwater.filters.scores.model_file import model_bytes
from headwater.filters.scores.score import score
from headwater.filters.scores.shipped import make_scorer
from headwater.filters.scores.words import load_words, word_odds
from headwater.filters.signals.measure import measure_signals

TEXTS = ["red green\nblue red", "eins zwei drei", "", "red " * 3000, "é" * 3000 + " red", "水は泉から 海へ red"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small fastText model that tells colours from numbers."""
    folder = tmp_path_factory.mktemp("words")
    lines = ["__label__yes red green blue red", "__label__no eins zwei drei vier"] * 30
    (folder / "lines.txt").write_text("\n".join(lines) + "\n")
    model = fasttext.train_supervised(
        str(folder / "lines.txt"), dim=8, epoch=20, lr=0.5, minn=2, maxn=3, bucket=1000, thread=1, seed=1, verbose=0
    )
    model.save_model(str(folder / "model.bin"))
    return folder / "model.bin"


def _words(path: Path, **changed: object) -> Words:
    plain = {
        "file": "x.ftz",
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "label": "__label__yes",
        "bytes": 100,
    }
    return Words(**plain | {"weight": (2.0,)} | changed)  # type: ignore[arg-type] # values of several types


def test_odds_are_those_of_the_package(trained: Path) -> None:
    """Only the first bytes are read, cut at a character, line feeds as spaces; a text without a known word is NaN."""
    words = _words(trained)
    found = word_odds(pa.array(TEXTS, pa.large_string()), load_words(words, trained.read_bytes(), "x.ftz"))
    package = fasttext.load_model(str(trained))
    for text, odds in zip(TEXTS, found.tolist(), strict=True):
        line = text.encode()[: words.bytes].decode(errors="ignore").replace("\n", " ")
        if not line.split():
            assert math.isnan(odds)
            continue
        shares = {label: share for share, label in package.f.predict(line + "\n", 2, 0.0, "strict")}
        p = min(max(shares["__label__yes"], 1e-5), 1 - 1e-5)
        assert odds == pytest.approx(math.log(p / (1 - p)), abs=2e-2)


def test_a_model_of_words_alone(trained: Path) -> None:
    """Words are an input like any other: weight, center, scale, limit; without the texts the score cannot be had."""
    data = trained.read_bytes()
    model = ScoreModel(
        name="colours",
        kind="linear",
        classes=("score",),
        inputs=(),
        weights=((),),
        biases=(0.0,),
        words=_words(trained, limit=1.0),
        calibration={"*": (1.0, 0.0)},
    )
    models = {"colours": make_scorer(None, model_bytes(model), data, "colours.json")}
    languages = pa.array(["en"] * 3)
    batch = measure_signals(pa.array(TEXTS[:3]), languages)
    high, low, empty = score(batch, languages, models, pa.array(TEXTS[:3]))["colours"].to_pylist()
    edge = 1 / (1 + math.exp(-2.0))
    assert (high, empty) == (math.floor(65535 * edge + 0.5), 32768)
    assert low < 32768
    with pytest.raises(UsageError, match="expected the texts, which the model colours reads, found none"):
        score(batch, languages, models)


def test_wrong_words(trained: Path) -> None:
    """Another file than the model names, no model at all, and a label that it lacks are refused."""
    data = trained.read_bytes()
    with pytest.raises(BadInputError, match="which the score model names"):
        load_words(_words(trained, sha256="0" * 64), data, "x.ftz")
    with pytest.raises(BadInputError, match="expected the label 'perhaps'"):
        load_words(_words(trained, label="perhaps"), data, "x.ftz")
    cut = data[:100]
    with pytest.raises(BadInputError, match="expected a supervised fastText model at x.ftz"):
        load_words(_words(trained, sha256=hashlib.sha256(cut).hexdigest()), cut, "x.ftz")
    assert np.isnan(word_odds(pa.array([""]), load_words(_words(trained), data, "x.ftz"))).all()
