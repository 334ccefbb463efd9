"""The reader and the kernel on models of other shapes than lid.176, each against the fasttext package."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import fasttext
import numpy as np
import pyarrow as pa
import pytest

from headwater.buffers import text_buffers
from headwater.errors import BadInputError
from headwater.filters.fasttext.model import read_model
from headwater.filters.fasttext.predict import predict, prepare
from headwater.filters.language.windows import find_windows
from headwater.filters.text.exact_math import compute_exp, compute_log

LABELS = "abcdefg"


def _sentences(n: int) -> list[tuple[str, str]]:
    """Made-up sentences, label i in the alphabet of i: some multi-byte, so that hashes see signed bytes."""
    alphabets = ["abcde", "efghi", "ijklm", "жзийк", "漢字仮名", "😀😁😂", "éèêëa"]
    draw = random.Random(7)
    chosen = [draw.choices(range(len(LABELS)), weights=range(len(LABELS), 0, -1))[0] for _ in range(n)]
    return [
        (
            LABELS[i],
            " ".join("".join(draw.choices(alphabets[i], k=draw.randint(1, 6))) for _ in range(draw.randint(1, 9))),
        )
        for i in chosen
    ]


def _train(folder: Path, **settings: Any) -> Any:
    path = folder / "train.txt"
    path.write_text("".join(f"__label__{label} {text}\n" for label, text in _sentences(2_000)))
    options = {
        "dim": 10,
        "epoch": 2,
        "loss": "hs",
        "minn": 1,
        "maxn": 3,
        "bucket": 1_000,
        "thread": 1,
        "verbose": 0,
        "minCount": 3,
    }
    return fasttext.train_supervised(str(path), **{**options, **settings})


def _assert_same(path: Path, trained: Any) -> None:
    model = read_model(path)
    texts = [text for _, text in _sentences(300)] + ["q", "word Ω", "</s> abc", "__label__b", "__label__zz abc"]
    data, offsets = text_buffers(pa.array(texts))
    labels, scores = predict(data, find_windows(data, offsets), prepare(model))
    expected = [trained.f.predict(text + "\n", 1, 0.0, "strict")[0] for text in texts]
    assert [model.labels[i] for i in labels] == [label.removeprefix("__label__") for _, label in expected]
    np.testing.assert_allclose(scores, [score for score, _ in expected], rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"dim": 16, "bucket": 1_024},
        {"dim": 3, "bucket": 7},
        {"minn": 0, "maxn": 0},
        {"minn": 2, "maxn": 5},
        {"bucket": 99_991},
    ],
    ids=str,
)
def test_language_model_dense(tmp_path: Path, settings: dict[str, int]) -> None:
    """An unquantised model of any dimension, bucket count and n-gram range predicts as in fasttext."""
    trained = _train(tmp_path, **settings)
    trained.save_model(str(tmp_path / "model.bin"))
    _assert_same(tmp_path / "model.bin", trained)


@pytest.mark.parametrize(
    "settings", [{}, {"qnorm": True}, {"cutoff": 400}, {"cutoff": 400, "qnorm": True, "dsub": 3}], ids=str
)
def test_language_model_quantised(tmp_path: Path, settings: dict[str, int]) -> None:
    """A quantised model, with and without norms, pruning and a last part of another width, predicts as in fasttext."""
    trained = _train(tmp_path)
    trained.quantize(input=str(tmp_path / "train.txt"), thread=1, verbose=0, **settings)
    trained.save_model(str(tmp_path / "model.ftz"))
    _assert_same(tmp_path / "model.ftz", trained)


def test_language_model_unsupervised(tmp_path: Path) -> None:
    """A model of word vectors, which has no labels, is refused."""
    path = tmp_path / "train.txt"
    path.write_text("".join(f"{text}\n" for _, text in _sentences(300)))
    trained = fasttext.train_unsupervised(str(path), dim=4, epoch=1, bucket=100, thread=1, minCount=1, verbose=0)
    trained.save_model(str(tmp_path / "model.bin"))
    with pytest.raises(BadInputError, match="kind 2"):
        read_model(tmp_path / "model.bin")


def test_language_model_exp_and_log() -> None:
    """The arithmetic of our own agrees with the C library to 1e-15 relative, and is cut off where float32 would overflow."""
    x = np.linspace(-86, 86, 5_001)
    np.testing.assert_allclose([compute_exp(value) for value in x], np.exp(x), rtol=1e-15, atol=0)
    p = np.concatenate([np.geomspace(1e-6, 1.4, 5_001), [1.0]])
    np.testing.assert_allclose([compute_log(value) for value in p], np.log(p), rtol=1e-15, atol=1e-16)
    assert compute_exp(1e6) == compute_exp(87.0)
    assert compute_exp(-1e6) == compute_exp(-87.0)
