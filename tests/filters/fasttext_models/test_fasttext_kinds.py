"""Every kind of supervised fastText model against the fasttext package: the best label, and the probability of every label."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import fasttext
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.buffers import text_buffers
from headwater.filters.fasttext.model import FastTextModel, read_model
from headwater.filters.fasttext.predict import KernelModel, distribution, predict, predict_all, prepare, sum_segments

pytestmark = pytest.mark.slow

TOLERANCE = 1e-5
SPACES = b" \t\n\v\f\r\0"
ALPHABETS = ["abcdeé", "efghiß", "ijklm", "жзийк", "漢字仮名交", "😀😁😂🤖", "กขคงจ", "אבגדה"]
MANY = 300  # labels: fastText quantises the output only of 256 or more
LOSSES = ["hs", "ns", "softmax", "ova"]
WORD_NGRAMS = [1, 2, 3, 5]
NGRAMS = [(0, 0), (2, 4)]


def _sentences(n: int, n_labels: int, seed: int) -> list[tuple[int, str]]:
    """Made-up sentences; a label shows in the alphabet, and in some words of its own."""
    draw = random.Random(seed)
    made = []
    for _ in range(n):
        label = min(int(draw.expovariate(3 / n_labels)), n_labels - 1)
        words = [
            "".join(draw.choices(ALPHABETS[label % len(ALPHABETS)], k=draw.randint(1, 5)))
            for _ in range(draw.randint(1, 8))
        ]
        words.insert(draw.randint(0, len(words)), f"w{label % 97}")
        made.append((label, " ".join(words)))
    return made


TEXTS = [
    *(text for _, text in _sentences(60, MANY, seed=11)),
    "q",
    "</s>",
    "</s> abc",
    "abc </s> жзи",
    "abc\0жзи\tw1\vw2\fw3\rw4",
    "__label__1 abc",
    "__label__unknown abc",
    "#1 #2 abc #unknown",
    "__label__",
    "w1 w2 w3 w4 w5 w6 w7",
    "12345 67890 ٣٤٥",
    "😀😁 👩‍👩‍👧‍👦 e\u0301\u0301\u0301",
    "\u00a0\u2003 \ufffd \ufffe \U0010ffff \u202e",
    "< > <a> <> ><",
    "a" * 100_000,
    "漢" * 33_334 + " " + "字" * 3,
    "abc жзи w1 " * 700,
    " ".join(map(str, range(4_000))),
]
EMPTY = ["", " ", "\n\t\r\v\f\0 "]


def _train(folder: Path, n_labels: int, prefix: str = "__label__", **options: Any) -> Any:
    path = folder / "train.txt"
    path.write_text("".join(f"{prefix}{label} {text}\n" for label, text in _sentences(1_500, n_labels, seed=7)))
    defaults = {"dim": 9, "epoch": 3, "lr": 0.4, "bucket": 701, "thread": 1, "verbose": 0, "minCount": 2}
    return fasttext.train_supervised(str(path), label=prefix, **{**defaults, **options})


def _quantise(folder: Path, trained: Any, **options: Any) -> None:
    trained.quantize(input=str(folder / "train.txt"), thread=1, verbose=0, **options)


def _load(folder: Path, trained: Any) -> tuple[FastTextModel, KernelModel, Any]:
    """The saved model as we read it and as the package does: a prefix of its own is forgotten by either."""
    path = str(folder / "model")
    trained.save_model(path)
    model = read_model(path)
    return model, prepare(model), fasttext.load_model(path)


def _cut(texts: list[str]) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """The bytes of the texts and, for each, one window over all of it."""
    data, offsets = text_buffers(pa.array(texts, pa.large_string()))
    windows = np.repeat(offsets[1:, None], 6, axis=1)
    windows[:, 0] = offsets[:-1]
    return data, windows


def _ask(oracle: Any, text: str, k: int) -> list[tuple[float, str]]:
    return oracle.f.predict(text.replace("\n", " ") + "\n", k, 0.0, "strict")


def _assert_same(model: FastTextModel, kernel: KernelModel, oracle: Any, texts: list[str]) -> None:
    data, windows = _cut(texts)
    labels, probabilities = predict(data, windows, kernel)
    distributions = predict_all(data, windows, kernel)
    assert distributions.shape == (len(texts), len(model.labels))
    places = {label: i for i, label in enumerate(model.labels)}
    for i, text in enumerate(texts):
        expected = np.zeros(len(places))
        for probability, label in _ask(oracle, text, -1):
            expected[places[label.removeprefix("__label__")]] = probability
        np.testing.assert_allclose(distributions[i], expected, rtol=0, atol=TOLERANCE)
        best = _ask(oracle, text, 1)
        if not best:
            assert (labels[i], probabilities[i]) == (-1, 0)
            continue
        assert model.labels[labels[i]] == best[0][1].removeprefix("__label__")
        assert probabilities[i] == pytest.approx(best[0][0], abs=TOLERANCE)
        assert probabilities[i] == distributions[i, labels[i]]


@pytest.mark.parametrize("ngrams", NGRAMS, ids=str)
@pytest.mark.parametrize("word_ngrams", WORD_NGRAMS)
@pytest.mark.parametrize("loss", LOSSES)
def test_fasttext_dense(tmp_path: Path, loss: str, word_ngrams: int, ngrams: tuple[int, int]) -> None:
    """A dense model of any loss, with and without n-grams of characters and of words, predicts as in fasttext."""
    trained = _train(tmp_path, 7, loss=loss, wordNgrams=word_ngrams, minn=ngrams[0], maxn=ngrams[1])
    _assert_same(*_load(tmp_path, trained), TEXTS)


@pytest.mark.parametrize(
    "options", [{}, {"cutoff": 300}, {"cutoff": 300, "qnorm": True}, {"qnorm": True, "dsub": 4}], ids=str
)
@pytest.mark.parametrize("word_ngrams", [1, 2, 3])
@pytest.mark.parametrize("loss", LOSSES)
def test_fasttext_quantised(tmp_path: Path, loss: str, word_ngrams: int, options: dict[str, Any]) -> None:
    """A quantised model, pruned or not, with and without norms, predicts as in fasttext."""
    trained = _train(tmp_path, 7, loss=loss, wordNgrams=word_ngrams, minn=2, maxn=3)
    _quantise(tmp_path, trained, **options)
    _assert_same(*_load(tmp_path, trained), TEXTS)


@pytest.mark.parametrize("loss", LOSSES)
def test_fasttext_quantised_output(tmp_path: Path, loss: str) -> None:
    """A model of many labels whose output is quantised too, with norms, predicts as in fasttext."""
    trained = _train(tmp_path, MANY, loss=loss, wordNgrams=2, minn=1, maxn=2)
    _quantise(tmp_path, trained, qout=True, qnorm=True, cutoff=400)
    _assert_same(*_load(tmp_path, trained), TEXTS[::3])


def test_fasttext_pruned_to_words(tmp_path: Path) -> None:
    """A pruned model of words alone, which has no n-gram to keep, predicts as in fasttext."""
    trained = _train(tmp_path, 7, loss="softmax", minCount=1)
    _quantise(tmp_path, trained, cutoff=300)
    model, kernel, oracle = _load(tmp_path, trained)
    assert (model.bucket, len(model.words)) == (0, 300)
    _assert_same(model, kernel, oracle, TEXTS)


def test_fasttext_other_prefix(tmp_path: Path) -> None:
    """Labels of another prefix keep it and count for nothing in a text; an unknown one is a word, which fasttext too takes it for."""
    trained = _train(tmp_path, 7, prefix="#", loss="softmax", minn=1, maxn=3, wordNgrams=2)
    model, kernel, oracle = _load(tmp_path, trained)
    assert set(model.labels) == {f"#{i}" for i in range(7)}
    _assert_same(model, kernel, oracle, TEXTS)


def test_fasttext_one_label(tmp_path: Path) -> None:
    """A model with a single label gives it a probability of 1, as in fasttext."""
    for loss in ("hs", "softmax", "ova"):
        _assert_same(*_load(tmp_path, _train(tmp_path, 1, loss=loss)), TEXTS[::10])


def test_fasttext_version_11(tmp_path: Path) -> None:
    """A file of version 11 has no character n-grams, whatever it says, as in fasttext."""
    _train(tmp_path, 7, loss="softmax", minn=2, maxn=3).save_model(str(tmp_path / "new"))
    content = bytearray((tmp_path / "new").read_bytes())
    content[4:8] = (11).to_bytes(4, "little")
    (tmp_path / "old").write_bytes(content)
    model = read_model(tmp_path / "old")
    assert model.max_ngram == 0
    _assert_same(model, prepare(model), fasttext.load_model(str(tmp_path / "old")), TEXTS)


def test_fasttext_nothing_to_read(tmp_path: Path) -> None:
    """White space alone has no label and no probabilities, for every kind of model."""
    data, windows = _cut(EMPTY)
    for loss in LOSSES:
        _, kernel, _ = _load(tmp_path, _train(tmp_path, 7, loss=loss, wordNgrams=2))
        labels, probabilities = predict(data, windows, kernel)
        assert labels.tolist() == [-1] * len(EMPTY)
        assert not probabilities.any()
        assert not predict_all(data, windows, kernel).any()
        assert not distribution(*sum_segments(data, windows, kernel), kernel).any()


@pytest.mark.parametrize("loss", LOSSES)
def test_fasttext_segments(tmp_path: Path, loss: str) -> None:
    """A segment alone has the distribution of ``predict_all`` bit for bit; segments added up have that of their text."""
    _, kernel, _ = _load(tmp_path, _train(tmp_path, 7, loss=loss, minn=2, maxn=4))
    texts = [text for text in TEXTS if "</s>" not in text and predict_all(*_cut([text]), kernel).any()]
    data, windows = _cut(texts)
    sums, counts = sum_segments(data, windows, kernel)
    known = counts > 0
    assert known.sum() > 60
    np.testing.assert_array_equal(distribution(sums, counts, kernel)[known], predict_all(data, windows, kernel)[known])

    pieces = texts[:9]
    together = distribution(sums[:9].sum(axis=0, keepdims=True), counts[:9].sum(keepdims=True), kernel)
    # Rows added in another order change a product in its last bits: nothing for a table of sigmoids, unless it crosses a step.
    np.testing.assert_allclose(together, predict_all(*_cut([" ".join(pieces)]), kernel), rtol=0, atol=1e-5)


def test_fasttext_segments_with_word_ngrams(tmp_path: Path) -> None:
    """Segments carry the word n-grams within them and none with the end of the line."""
    model, kernel, _ = _load(tmp_path, _train(tmp_path, 7, loss="softmax", wordNgrams=3))
    sums, counts = sum_segments(*_cut(["w1 w2 w3 w4", "w1"]), kernel)
    assert counts.tolist() == [4 + 3 + 2, 1]
    np.testing.assert_array_equal(sums[1], model.rows[model.words.index(b"w1")])


def test_fasttext_windows_are_joined(tmp_path: Path) -> None:
    """Three windows count as one line, joined by a space, also for word n-grams."""
    _, kernel, _ = _load(tmp_path, _train(tmp_path, 7, loss="softmax", wordNgrams=3, minn=2, maxn=3))
    data, _ = _cut(["w1 abc....w2 w3....жзи"])
    windows = np.array([[0, 6, 10, 15, 19, 25]])
    np.testing.assert_array_equal(predict_all(data, windows, kernel), predict_all(*_cut(["w1 abc w2 w3 жзи"]), kernel))


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[FastTextModel, KernelModel, Any]]:
    """A few models of different kinds for the property test."""
    loaded = []
    for i, loss in enumerate(LOSSES):
        folder = tmp_path_factory.mktemp(loss)
        trained = _train(folder, 7, loss=loss, wordNgrams=i + 1, minn=i % 2, maxn=4)
        if i % 2:
            _quantise(folder, trained, cutoff=300, qnorm=True)
        loaded.append(_load(folder, trained))
    return loaded


_PIECES = st.one_of(
    st.text(max_size=12),
    st.sampled_from(["</s>", "__label__1", "__label__", "<", ">", "w1", "w2", "abc", "\0", "\r", "漢字", "😀"]),
)


@settings(max_examples=60, deadline=None)
@given(pieces=st.lists(_PIECES, max_size=12), glue=st.sampled_from([" ", "\t", ""]))
def test_fasttext_equals_on_any_text(
    models: list[tuple[FastTextModel, KernelModel, Any]], pieces: list[str], glue: str
) -> None:
    """Whatever the characters, labels and probabilities are fastText's."""
    text = glue.join(pieces)
    if text.encode().strip(SPACES):
        for model in models:
            _assert_same(*model, [text])
