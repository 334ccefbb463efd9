"""The file of a score model: one JSON file, never a pickle; read, checked and written.

The file is UTF-8 JSON, a line a key as ``model_bytes`` writes it; the SHA-256 of its bytes is the model's identity. Its keys are those of
``model.ScoreModel``, with these forms: an input is a table of ``Input``'s fields, ``words`` one of ``Words``'s, a node of a tree either
``{"input", "at", "low", "high"}`` with an optional ``mean``, or ``{"value"}``. A fastText model that ``words`` names lies beside the file and is
pinned in it by its own SHA-256.

A file comes from strangers: whatever is wrong with it is one line that names the key.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from headwater.errors import BadInputError, one_line
from headwater.filters.language.names import TAGS
from headwater.filters.scores.model import ANY, KINDS, TRANSFORMS, Input, ScoreModel, Words
from headwater.filters.scores.trees import parse_trees, plain_node
from headwater.filters.scores.values import (
    LARGEST,
    check_known,
    check_list,
    check_number,
    check_numbers,
    check_signal,
    check_table,
    check_text,
    check_whole,
)
from headwater.fingerprint import canonical_json
from headwater.plain import JsonObject
from headwater.untrusted import parse_json, read_bounded

__all__ = ["FORMAT", "model_bytes", "parse_model", "read_model_file"]

FORMAT: Final = 1
"""Version of the file; readers accept exactly this one."""
MOST_BYTES: Final = 16 << 20
"""Of a model's file."""
MOST_WORDS_BYTES: Final = 256 << 20
"""Of the fastText model beside it."""

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,62}")
_CLASS: Final = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_FILE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,126}")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_MOST_INPUTS: Final = 1024
_MOST_CLASSES: Final = 64
_MOST_LANGUAGES: Final = 1000
_MOST_CALIBRATION: Final = 1000.0
"""Of both numbers of a calibration: at a margin of 1 far beyond what a share can tell."""


def read_model_file(path: Path) -> tuple[ScoreModel, bytes, bytes | None]:
    """Return the model in a file, the file's bytes, and those of the fastText model beside it where it has one.

    Raises:
        BadInputError: a file cannot be read, or is no such model.
    """
    try:
        data = read_bounded(path, MOST_BYTES)
    except (OSError, ValueError) as error:
        raise _bad(str(path), error) from None
    model = parse_model(data, str(path))
    if model.words is None:
        return model, data, None
    beside = path.parent / model.words.file
    try:
        return model, data, read_bounded(beside, MOST_WORDS_BYTES)
    except (OSError, ValueError) as error:
        raise _bad(str(beside), error) from None


def parse_model(data: bytes, where: str) -> ScoreModel:
    """Return the model that the bytes of a file hold.

    Args:
        where: the file, named in the message.

    Raises:
        BadInputError: no such model.
    """
    try:
        return _model(parse_json(data, unique=True), hashlib.sha256(data).hexdigest())
    except (ValueError, RecursionError) as error:
        raise _bad(where, error) from None


def _bad(where: str, error: Exception) -> BadInputError:
    found = error.strerror if isinstance(error, OSError) else str(error)
    return BadInputError(
        one_line(f"{where}: expected a score model, found: {found}; make one with headwater score train"), "bad_model"
    )


def model_bytes(model: ScoreModel) -> bytes:
    """Return the file of a model: a line a key, sorted; ``sha256`` is not in it."""
    table: JsonObject = {"format": FORMAT, "name": model.name, "kind": model.kind, "classes": list(model.classes)}
    table["inputs"] = [_plain_input(each) for each in model.inputs]
    table["biases"] = list(model.biases)
    table["words"] = None
    if model.words is not None:
        table["words"] = {name: getattr(model.words, name) for name in Words.__slots__}
    if model.kind == "linear":
        table["weights"] = [list(row) for row in model.weights]
    else:
        table["trees"] = [[[plain_node(node) for node in tree] for tree in trees] for trees in model.trees]
    for name in ("centers", "scales", "calibration", "offsets", "parents"):
        if found := getattr(model, name):
            table[name] = {key: list(value) for key, value in found.items()}
    if not model.is_score:
        table |= {"least_words": model.least_words, "least_share": model.least_share}
        table["languages"] = None if model.languages is None else list(model.languages)
    table["card"] = dict(model.card)
    lines = [f"{json.dumps(key)}: {canonical_json(value)}" for key, value in sorted(table.items())]
    return ("{\n" + ",\n".join(lines) + "\n}\n").encode()


def _plain_input(each: Input) -> JsonObject:
    found: JsonObject = {name: getattr(each, name) for name in Input.__slots__}
    if not each.prior_words:
        del found["prior_words"]  # files without it keep their bytes, and so their identity
    return found


def _model(raw: Any, sha256: str) -> ScoreModel:  # Any: whatever the file holds; every key is checked here
    table = check_table(raw, "the file")
    if table.get("format") != FORMAT or isinstance(table["format"], bool):
        raise ValueError(f"format: expected {FORMAT}, found {table.get('format')!r}")
    known = {"format", *(name for name in ScoreModel.__slots__ if name != "sha256")}
    check_known(table, known, "the file")
    kind = table.get("kind")
    if kind not in KINDS:
        raise ValueError(f"kind: expected one of {', '.join(KINDS)}, found {kind!r}")
    classes = tuple(
        check_text(each, _CLASS, "classes") for each in check_list(table.get("classes"), "classes", 1, _MOST_CLASSES)
    )
    if len(set(classes)) != len(classes) or (len(classes) == 1 and classes != ("score",)):
        raise ValueError('classes: expected ["score"], or two or more different names')
    inputs = tuple(_input(each, n) for n, each in enumerate(check_list(table.get("inputs"), "inputs", 0, _MOST_INPUTS)))
    if not inputs and table.get("words") is None:
        raise ValueError("inputs: expected at least one input, or words")
    other = "trees" if kind == "linear" else "weights"
    if other in table:
        raise ValueError(f"{other}: expected none beside kind {kind!r}, found some")
    words = None if table.get("words") is None else _words(table["words"], len(classes) if kind == "linear" else 0)
    n = len(inputs)
    model = ScoreModel(
        name=check_text(table.get("name"), _NAME, "name"),
        kind=kind,
        classes=classes,
        inputs=inputs,
        biases=check_numbers(table.get("biases"), "biases", len(classes)),
        weights=_weights(table, len(classes), n) if kind == "linear" else (),
        trees=parse_trees(table.get("trees"), len(classes), n + (words is not None)) if kind == "trees" else (),
        centers=_by_language(table, "centers", n),
        scales=_by_language(table, "scales", n, least=1e-9),
        words=words,
        calibration={language: (a, b) for language, (a, b) in _calibration(table).items()},
        offsets=_by_language(table, "offsets", len(classes), any_language=True),
        parents=_parents(table.get("parents", {}), classes),
        languages=None if table.get("languages") is None else _languages(table["languages"]),
        least_words=check_whole(table.get("least_words", 0), "least_words", 0, 1 << 24),
        least_share=check_number(table.get("least_share", 0.0), "least_share", 0.0, 1.0),
        card=check_table(table.get("card", {}), "card"),
        sha256=sha256,
    )
    if model.is_score and ANY not in model.calibration:
        raise ValueError('calibration: expected [a, b] for "*", it is missing')
    return model


def _input(raw: Any, number: int) -> Input:  # Any: see _model
    where = f"inputs[{number}]"
    table = check_table(raw, where)
    check_known(table, set(Input.__slots__), where)
    per = table.get("per")
    transform = table.get("transform", "none")
    if transform not in TRANSFORMS:
        raise ValueError(f"{where}.transform: expected one of {', '.join(TRANSFORMS)}, found {transform!r}")
    return Input(
        signal=check_signal(table.get("signal"), f"{where}.signal"),
        per=None if per is None else check_signal(per, f"{where}.per"),
        times=check_number(table.get("times", 1.0), f"{where}.times"),
        transform=transform,
        prior_words=check_number(table.get("prior_words", 0.0), f"{where}.prior_words", 0.0),
        **_shape(table, where),
    )


def _words(raw: Any, n_weights: int) -> Words:  # Any: see _model
    table = check_table(raw, "words")
    check_known(table, set(Words.__slots__), "words")
    label = table.get("label")
    if not isinstance(label, str) or not 0 < len(label) <= 200:
        raise ValueError(f"words.label: expected a label, found {label!r}")
    if not n_weights and table.get("weight"):
        raise ValueError("words.weight: expected none beside kind 'trees', found some")
    return Words(
        file=check_text(table.get("file"), _FILE, "words.file"),
        sha256=check_text(table.get("sha256"), _SHA256, "words.sha256"),
        label=label,
        bytes=check_whole(table.get("bytes", 4096), "words.bytes", 1, 1 << 24),
        weight=check_numbers(table.get("weight"), "words.weight", n_weights) if n_weights else (),
        **_shape(table, "words"),
    )


def _shape(table: Mapping[str, object], where: str) -> dict[str, float]:
    return {
        "center": check_number(table.get("center", 0.0), f"{where}.center"),
        "scale": check_number(table.get("scale", 1.0), f"{where}.scale", 1e-9),
        "limit": check_number(table.get("limit", 4.0), f"{where}.limit", 1e-9),
    }


def _weights(table: Mapping[str, object], n_classes: int, n: int) -> tuple[tuple[float, ...], ...]:
    rows = check_list(table.get("weights"), "weights", n_classes, n_classes)
    return tuple(check_numbers(row, f"weights[{number}]", n) for number, row in enumerate(rows))


def _parents(raw: Any, classes: Sequence[str]) -> dict[str, tuple[str, float]]:  # Any: see _model
    found = {}
    for name, pair in check_table(raw, "parents").items():
        where = f"parents.{name}"
        parent, least = check_list(pair, where, 2, 2)
        if name not in classes or parent not in classes or parent == name:
            raise ValueError(f"{where}: expected two different classes of the model, found {name!r} and {parent!r}")
        found[name] = (str(parent), check_number(least, where, 0.0, 1.0))
    if any(parent in found for parent, _ in found.values()):
        raise ValueError("parents: expected classes without parents of their own, found a chain")
    return found


def _by_language(
    table: Mapping[str, object],
    key: str,
    n: int,
    *,
    least: float = -LARGEST,
    most: float = LARGEST,
    any_language: bool = False,
) -> dict[str, tuple[float, ...]]:
    found = {}
    rows = check_table(table.get(key) or {}, key)
    if len(rows) > _MOST_LANGUAGES:
        raise ValueError(f"{key}: expected at most {_MOST_LANGUAGES} languages, found {len(rows)}")
    for language, values in rows.items():
        if not (any_language and language == ANY):
            _tag(language, key)
        found[language] = check_numbers(values, f"{key}.{language}", n, least, most)
    return found


def _calibration(table: Mapping[str, object]) -> dict[str, tuple[float, ...]]:
    return _by_language(table, "calibration", 2, least=-_MOST_CALIBRATION, most=_MOST_CALIBRATION, any_language=True)


def _tag(value: object, where: str) -> str:
    if not isinstance(value, str) or value not in TAGS:
        raise ValueError(f"{where}: expected a language that a document can have, found {one_line(repr(value), 100)}")
    return value


def _languages(raw: Any) -> tuple[str, ...]:  # Any: see _model
    return tuple(_tag(each, "languages") for each in check_list(raw, "languages", 1, _MOST_LANGUAGES))
