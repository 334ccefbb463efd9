"""Files of score models: written and read back the same, and refused in one line that names the key where something is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from score_models import genre_model, length_model, tree_model

from headwater.errors import BadInputError
from headwater.filters.scores.model import Words
from headwater.filters.scores.model_file import model_bytes, parse_model, read_model_file
from headwater.filters.scores.shipped import SHIPPED, load_scorer, shipped_scorer


@pytest.mark.parametrize(
    "model", [length_model("legal"), tree_model("legal"), genre_model()], ids=["linear", "trees", "classes"]
)
def test_a_model_is_read_back_as_it_was_written(model: Any) -> None:
    """The file of what was read is the file, byte for byte, and its SHA-256 is the model's identity."""
    data = model_bytes(model)
    found = parse_model(data, "legal.json")
    assert model_bytes(found) == data
    assert len(found.sha256) == 64
    assert found.inputs == model.inputs


def _trees(trees: object) -> Callable[[dict[str, Any]], object]:
    def change(raw: dict[str, Any]) -> None:
        del raw["weights"]
        raw.update(kind="trees", trees=trees)

    return change


def _tree(nodes: object) -> Callable[[dict[str, Any]], object]:
    return _trees([[nodes]])


_LEAF = {"value": 1.0}
_WRONG: list[tuple[Callable[[dict[str, Any]], object], str]] = [
    (lambda raw: raw.update(format=2), "format: expected 1, found 2"),
    (lambda raw: raw.update(format=True), "format: expected 1, found True"),
    (lambda raw: raw.update(extra=1), "unknown key 'extra'"),
    (lambda raw: raw.update(kind="pickle"), "kind: expected one of linear, trees, found 'pickle'"),
    (lambda raw: raw.update(name="../x"), "name: expected"),
    (lambda raw: raw.update(classes=["score", "score"]), "classes: expected"),
    (lambda raw: raw.update(classes=[]), "classes: expected a list of 1 to 64, found one of 0"),
    (
        lambda raw: raw["inputs"][0].update(signal="hw_nothing"),
        "inputs[0].signal: expected a signal of this release, found 'hw_nothing'",
    ),
    (
        lambda raw: raw["inputs"][0].update(prior_words=-1),
        "inputs[0].prior_words: expected a number from 0 to 1e+09, found -1",
    ),
    (
        lambda raw: raw["inputs"][0].update(transform="exp"),
        "inputs[0].transform: expected one of none, sqrt, log1p, found 'exp'",
    ),
    (lambda raw: raw["inputs"][0].update(scale=0), "inputs[0].scale: expected a number from 1e-09"),
    (lambda raw: raw["inputs"][0].update(times="1"), "inputs[0].times: expected a number"),
    (lambda raw: raw["inputs"][0].update(shape=1), "inputs[0]: unknown key 'shape'"),
    (lambda raw: raw.update(weights=[[1.0, 2.0]]), "weights[0]: expected a list of 3, found one of 2"),
    (
        lambda raw: raw.update(weights=[[1.0, 2.0, 10**400]]),
        "weights[0]: expected a number from -1e+09 to 1e+09, found an integer beyond 64 bits",
    ),
    (lambda raw: raw.update(biases=[True]), "biases: expected a number"),
    (lambda raw: raw.update(biases=None), "biases: expected a list of 1, found None"),
    (lambda raw: raw.update(centers={"fr": [1.0]}), "centers.fr: expected a list of 3, found one of 1"),
    (lambda raw: raw.update(centers={"*": [1.0] * 3}), "centers: expected"),
    (lambda raw: raw.update(scales={"fr": [1.0, 1.0, 0.0]}), "scales.fr: expected a number from 1e-09"),
    (lambda raw: raw.update(calibration={"fr": [1.0, 0.0]}), 'calibration: expected [a, b] for "*", it is missing'),
    (lambda raw: raw.update(inputs=[], weights=[[]], words=None), "inputs: expected at least one input, or words"),
    (
        lambda raw: raw.update(words={"file": "../x.ftz", "sha256": "0" * 64, "label": "yes", "weight": [1.0]}),
        "words.file: expected",
    ),
    (
        lambda raw: raw.update(words={"file": "x.ftz", "sha256": "0", "label": "yes", "weight": [1.0]}),
        "words.sha256: expected",
    ),
    (
        lambda raw: raw.update(words={"file": "x.ftz", "sha256": "0" * 64, "label": "", "weight": [1.0]}),
        "words.label: expected a label",
    ),
    (lambda raw: raw.update(trees=[]), "trees: expected none beside kind 'linear'"),
    (lambda raw: raw.update(kind="trees", trees=[[[_LEAF]]]), "weights: expected none beside kind 'trees'"),
    (_trees([[]]), "trees: expected at least one tree of one class, found none"),
    (
        _tree([{"input": 0, "at": 0.0, "low": 1, "high": 1}]),
        "trees[0][0]: expected a leaf, with value, as the last node",
    ),
    (lambda raw: raw["calibration"].update(xx=[1.0, 0.0]), "calibration: expected a language that a document can have"),
    (lambda raw: raw.update(centers={"EN": [1.0] * 3}), "centers: expected a language that a document can have"),
    (lambda raw: raw.update(offsets={"eng": [1.0]}), "offsets: expected a language that a document can have"),
    (
        lambda raw: raw["calibration"].update(fr=[1000.5, 0.0]),
        "calibration.fr: expected a number from -1000 to 1000, found 1000.5",
    ),
    (lambda raw: raw["calibration"].update(fr=[1.0, -1e6]), "calibration.fr: expected a number from -1000 to 1000"),
    (_tree([]), "trees[0][0]: expected a list of 1 to"),
    (
        _tree([{"input": 0, "at": 0.0, "low": 0, "high": 1}, _LEAF]),
        "trees[0][0].low: expected a whole number from 1 to 1, found 0",
    ),
    (
        _tree([{"input": 9, "at": 0.0, "low": 1, "high": 1}, _LEAF]),
        "trees[0][0].input: expected a whole number from 0 to 2, found 9",
    ),
    (
        _tree([{"input": 0, "at": 0.0, "low": 1, "high": 2}, _LEAF]),
        "trees[0][0].high: expected a whole number from 1 to 1, found 2",
    ),
    (_tree([_LEAF | {"input": 1}]), "trees[0][0]: unknown key 'input'"),
    (lambda raw: raw.update(parents={"score": ["score", 0.5]}), "parents.score: expected two different classes"),
]


@pytest.mark.parametrize("change, message", _WRONG, ids=[message[:50] for _, message in _WRONG])
def test_wrong_model(change: Callable[[dict[str, Any]], object], message: str) -> None:
    """What is wrong is one line that names the file and the key."""
    raw = json.loads(model_bytes(length_model("legal")))
    change(raw)
    with pytest.raises(BadInputError) as caught:
        parse_model(json.dumps(raw).encode(), "models/legal.json")
    told = str(caught.value)
    assert told.startswith("models/legal.json: expected a score model, found: ")
    assert message in told
    assert "\n" not in told


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{", b"\xff", b'{"format": NaN}', b"[" * 100_000, b'{"a":' * 5000, b"\x80\x04K\x01."]
)
def test_what_is_no_json_object(data: bytes) -> None:
    """Bytes of any kind, a pickle among them, are refused."""
    with pytest.raises(BadInputError, match="expected a score model"):
        parse_model(data, "x.json")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: b"\xef\xbb\xbf" + data, "expected UTF-8 without a byte order mark"),
        (lambda data: data.replace(b'"kind"', b'"kind": "linear", "kind"'), "found 'kind' twice"),
        (lambda data: data.replace(b'"limit"', b'"limit": 1, "limit"', 1), "found 'limit' twice"),
        (lambda data: data.replace(b'"format": 1', b'"format": ' + b"1" * 5000), "integers within 64 bits"),
    ],
    ids=["mark", "key", "nested key", "integer"],
)
def test_json_that_could_be_read_in_two_ways(change: Callable[[bytes], bytes], message: str) -> None:
    """Keys that stand twice, a byte order mark and endless integers are refused in our words."""
    data = model_bytes(length_model("legal"))
    assert change(data) != data
    with pytest.raises(BadInputError, match=message):
        parse_model(change(data), "x.json")


def test_files_that_are_not_there(tmp_path: Path) -> None:
    """A model without its file, a folder, and one without the words beside it are told by their path."""
    with pytest.raises(BadInputError, match="nothing.json: expected a score model, found: No such file"):
        read_model_file(tmp_path / "nothing.json")
    with pytest.raises(BadInputError, match="no regular file"):
        read_model_file(tmp_path)
    words = Words(file="legal.ftz", sha256="0" * 64, label="yes", weight=(1.0,))
    raw = json.loads(model_bytes(length_model("legal")))
    raw["words"] = {name: getattr(words, name) for name in Words.__slots__}
    path = tmp_path / "legal.json"
    path.write_text(json.dumps(raw))
    with pytest.raises(BadInputError, match=r"legal\.ftz: expected a score model, found: No such file"):
        load_scorer(path)
    (tmp_path / "legal.ftz").write_bytes(b"no model")
    with pytest.raises(BadInputError, match="expected SHA-256 0000"):
        load_scorer(path)


def test_every_column_has_a_shipped_model() -> None:
    """The five columns of every lake have models of their own identity, which answer for what they fill."""
    identities = {shipped_scorer(name).model.sha256 for name in SHIPPED}
    assert len(identities) == len(SHIPPED) == 5
    for name in SHIPPED:
        assert shipped_scorer(name).model.name == name
        assert shipped_scorer(name).model.is_score == (name != "domain")
        assert shipped_scorer(name).model.card
