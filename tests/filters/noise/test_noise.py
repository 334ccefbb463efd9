"""Line noise: the kernel against a plain reference, the model's file, and what people marked."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from adversarial_text import ADVERSARIAL
from class_reference import class_letter
from hypothesis import given, settings
from hypothesis import strategies as st
from noise_reference import noise_numbers, noisy_lines
from real_text import first_texts
from signal_reference import Token, cut

from headwater.errors import BadInputError
from headwater.filters.noise.features import FEATURES
from headwater.filters.noise.judge import measure_noise_features
from headwater.filters.noise.model import load_noise_model, parse_noise_model
from headwater.filters.signals.measure import measure_signals
from headwater.filters.spans.find import find_spans, without_spans

PAGE = (
    "Home | News | Contact\nLog in\nThe river rises in the hills, crosses the plain and reaches the sea after some days.\n\n"
    "It carries sand and stone, and in spring, when the snow melts, it floods the fields on both of its banks.\n"
    "Share this page\n12 May 2014, 10:30\n3 comments\n© 2014 Example. All rights reserved\n"
)


def lines_of(text: str) -> list[tuple[str, list[Token]]]:
    """Class letters and tokens of the filled lines."""
    lines = [("".join(map(class_letter, line)), cut(line)) for line in text.split("\n")]
    return [(shape, tokens) for shape, tokens in lines if tokens]


def found_lines(text: str) -> list[bool]:
    """Whether the operator leaves out each filled line."""
    spans = find_spans(pa.array([text]), ["noise_lines"]).to_pylist()
    begins = {span["span_begin"] for span in spans}
    at, found = 0, []
    for line in text.split("\n"):
        if cut(line):
            found.append(at in begins)
        at += len(line.encode()) + 1
    assert sum(found) == len(begins)
    return found


def assert_equal_to_reference(text: str) -> None:
    """Fail where a number of a line, or what is said of it, is not the reference's."""
    lines = lines_of(text)
    expected = noise_numbers(lines)
    rows = measure_noise_features(text)
    assert [dict(zip(FEATURES, row, strict=True)) for row in rows.tolist()] == expected
    assert found_lines(text) == noisy_lines(lines)


@pytest.mark.parametrize(
    "text",
    [
        *ADVERSARIAL,
        PAGE,
        PAGE * 3,
        "\n\n \n",
        "东京都。\n请点击这里\n서울 시\nカート (3)\n「はい。」",
        "3D x\n‣ a\nhttp://a.b: c",
    ],
)
def test_hostile_text_equals_reference(text: str) -> None:
    """Every number of every line, and every verdict, equals the plain reference."""
    assert_equal_to_reference(text)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [*'aB1 .,…\n\n|»:/@-(]"東とก가\u0301é।😀', "the river ", "Log in", "It ends here. ", "://", "...", "x" * 60]
        ),
        max_size=120,
    )
)
def test_any_text_equals_reference(parts: list[str]) -> None:
    """The same on arbitrary mixtures of what the kernel tells apart."""
    assert_equal_to_reference("".join(parts))


def test_real_text_equals_reference(real_text_files: list[Path]) -> None:
    """The same on real text of all languages."""
    for path in real_text_files:
        for text in first_texts(path, 20_000)[:1]:
            assert_equal_to_reference(text[:3000])


@pytest.mark.parametrize("n", [1, 900, 927, 928, 929, 976, 977, 1023, 1025, 1900, 3000])
def test_blocks_do_not_show(n: int) -> None:
    """Where a block of lines ends is not seen: a text of more lines than the room holds is judged as one of few."""
    dice = np.random.default_rng(n)
    choice = [*PAGE.rstrip("\n").split("\n"), "Ο ποταμός", "x" * 260, "- a, b", ""]
    assert_equal_to_reference("\n".join(choice[i] for i in dice.integers(0, len(choice), n)))


def test_a_page_keeps_its_text() -> None:
    """Navigation, dates and notices go with their newlines, sentences stay; the signals say how much went."""
    texts = pa.array([PAGE])
    spans = pa.Table.from_batches([find_spans(texts, ["noise_lines"])])
    spans = spans.append_column("sample_id", pa.array([7] * len(spans), pa.uint64()))
    left = without_spans(pa.table({"sample_id": pa.array([7], pa.uint64()), "text": texts}), spans).to_pylist()[0]
    kept = [line for line in left.split("\n") if line]
    assert kept == [line for line in PAGE.split("\n") if line.endswith(("days.", "banks."))]
    row = measure_signals(texts, pa.array(["en"])).to_pylist()[0]
    assert row["hw_noise_lines_fraction"] == np.float32(6 / 8)
    chars = [len("".join(line.split())) for line in PAGE.split("\n")]
    assert row["hw_noise_chars_fraction"] == np.float32(1 - (chars[2] + chars[4]) / sum(chars))


def test_lines_of_several_texts_stay_apart() -> None:
    """A text's lines are no neighbours of the next one's."""
    texts = [PAGE, "", "Log in", PAGE * 2, "\n", PAGE]
    together = find_spans(pa.array(texts), ["noise_lines"]).to_pylist()
    for row, text in enumerate(texts):
        alone = find_spans(pa.array([text]), ["noise_lines"]).to_pylist()
        assert [{**span, "row": 0} for span in together if span["row"] == row] == alone


def changed(**changes: Any) -> bytes:  # Any: values of every wrong type
    """Return a small model's file with some keys changed, None left out."""
    small = {"format": 1, "bias": 0.5, "trees": [[["size", 0, 5, 1, 2], [-1.0], [1]]], "card": {}}
    return json.dumps({key: value for key, value in {**small, **changes}.items() if value is not None}).encode()


def test_shipped_model_is_read() -> None:
    """The model has an identity, and its trees are no deeper than kernels take."""
    model = load_noise_model()
    assert len(model.sha256) == 64
    assert model.trees.depths.max() <= 8
    assert parse_noise_model(changed(), "x").trees.values.tolist() == [0.0, -1.0, 1.0]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\x80", "no UTF-8"),
        (b"[]", "expected an object"),
        (changed(card=None), "expected an object"),
        (changed(format=2), "format: expected 1"),
        (changed(bias="x"), "bias: expected a finite number"),
        (changed(bias=1e300), "bias: expected a finite number"),
        (changed(trees=[[]]), "trees: expected a list"),
        (changed(trees=[[[1], [2]]]), "each of its 2 nodes"),
        (changed(trees=[[["size", 0, 5, 1, 1], [1]]]), "two later nodes"),
        (changed(trees=[[["size", 0, 5, 0, 1], [1]]]), "two later nodes"),
        (changed(trees=[[["size", 0, 5, 1, 9], [1]]]), "two later nodes"),
        (changed(trees=[[["size", 4, 5, 1, 2], [1], [2]]]), "expected a line from"),
        (changed(trees=[[["next_sound", 1, 5, 1, 2], [1], [2]]]), "expected a line from"),
        (changed(trees=[[["size", 0, 10**9, 1, 2], [1], [2]]]), "expected a line from"),
        (changed(trees=[[["height", 0, 5, 1, 2], [1], [2]]]), "expected a number of a line"),
        (changed(trees=[[["size", 0, 0.5, 1, 2], [1], [2]]]), "expected a number of a line"),
        (changed(trees=[[[[], 0, 5, 1, 2], [1], [2]]]), "expected a number of a line"),
        (changed(trees=[["x"]]), "expected [value]"),
        (changed(trees=[[[True]]]), "finite number"),
        (changed(trees=[[*(["size", 0, 5, 2 * i + 1, 2 * i + 2] for i in range(9)), *([[1]] * 10)]]), ""),
        (changed(trees=[[["size", 0, 5, 1, 2], [1], *([["size", 0, 5, 3, 4], [1]] * 1)]]), "two later nodes"),
        (changed(trees=[[[1]] * 70_000]), "nodes, found"),
    ],
)
def test_a_bad_model_is_refused(data: bytes, message: str) -> None:
    """What a kernel could not walk is refused with its file and what is wrong, in one line."""
    if not message:
        parse_noise_model(data, "x.json")
        return
    with pytest.raises(BadInputError, match=r"^x\.json: ") as refused:
        parse_noise_model(data, "x.json")
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_too_deep_a_tree_is_refused() -> None:
    """A chain of nine nodes is deeper than kernels take."""
    chain: list[list[Any]] = []  # Any: nodes
    for at in range(9):
        chain += [["size", 0, at, 2 * at + 1, 2 * at + 2], [0.0]]
    with pytest.raises(BadInputError, match="at most 8 levels"):
        parse_noise_model(changed(trees=[[*chain, [1.0]]]), "x.json")


def test_shipped_file_is_what_a_model_writes() -> None:
    """Canonical JSON with a card: the same training gives the same bytes."""
    data = (files("headwater.filters") / "data" / "noise.json").read_text("utf-8")
    content = json.loads(data)
    assert data == json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False) + "\n"
    assert {"about", "data", "licence", "settings"} <= set(content["card"])
