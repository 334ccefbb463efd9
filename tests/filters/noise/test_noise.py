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
    "Share this page\n« Previous | Next »\n3 comments\n© 2014 Example. All rights reserved\n"
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


TREE: dict[str, Any] = {
    "ask": [["size", 0, 5]] * 7,
    "values": [-2, -1, 0, 1, 2, 3, 4, 5],
}  # Any: values of every wrong type


def changed(**changes: Any) -> bytes:  # Any: see TREE
    """Return a small model's file with some keys changed, None left out."""
    small = {"format": 1, "bias": 500_000, "trees": [TREE], "card": {}}
    return json.dumps({key: value for key, value in {**small, **changes}.items() if value is not None}).encode()


def asking(question: Any) -> bytes:  # Any: see TREE
    """Return a small model's file whose tree asks this last."""
    return changed(trees=[{**TREE, "ask": [*TREE["ask"][:6], question]}])


def test_models_are_read() -> None:
    """The shipped model has an identity; a tree's questions and values stand in their order; there may be none."""
    assert len(load_noise_model().sha256) == 64
    trees = parse_noise_model(asking(["words", -3, 9]), "x").trees
    assert trees.values.tolist() == [TREE["values"]]
    assert trees.cuts.tolist() == [[5, 5, 5, 5, 5, 5, 9]]
    assert parse_noise_model(changed(trees=[]), "x").trees.cuts.shape == (0, 7)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\x80", "no UTF-8"),
        (b"[]", "expected an object"),
        (changed(card=None), "expected an object"),
        (changed(format=2), "format: expected 1"),
        (changed(bias="x"), "bias: expected a whole number"),
        (changed(bias=0.5), "bias: expected a whole number"),
        (changed(bias=10**300), "bias: expected a whole number"),
        (changed(trees={}), "trees: expected a list"),
        (changed(trees=[TREE] * 2001), "trees: expected a list"),
        (changed(trees=[[]]), "tree 0: expected an object of ask and values"),
        (changed(trees=[TREE, {**TREE, "more": 1}]), "tree 1: expected an object of ask and values"),
        (changed(trees=[{**TREE, "values": [1] * 7}]), "expected 7 questions and 8 values"),
        (changed(trees=[{**TREE, "ask": [["size", 0, 5]] * 8}]), "expected 7 questions and 8 values"),
        (changed(trees=[{**TREE, "values": [1] * 7 + [True]}]), "values: expected a whole number"),
        (changed(trees=[{**TREE, "values": [1] * 7 + [10**7]}]), "values: expected a whole number"),
        (asking("size"), "question 6: expected [number of a line, line, at]"),
        (asking(["size", 0]), "expected [number of a line, line, at]"),
        (asking(["height", 0, 1]), "expected [number of a line, line, at]"),
        (asking([[], 0, 1]), "expected [number of a line, line, at]"),
        (asking(["size", 0, 10**9]), "expected a whole number"),
        (asking(["size", 0.0, 1]), "expected a whole number"),
        (asking(["size", 4, 1]), "expected a line from -3 to 3"),
        (asking(["next_sound", 1, 1]), "expected a line from -3 to 3, 0 for previous_sound and next_sound"),
    ],
)
def test_a_bad_model_is_refused(data: bytes, message: str) -> None:
    """What a kernel could not walk is refused with its file and what is wrong, in one line."""
    with pytest.raises(BadInputError, match=r"^x\.json: ") as refused:
        parse_noise_model(data, "x.json")
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_shipped_file_is_what_a_model_writes() -> None:
    """Canonical JSON with a card: the same training gives the same bytes."""
    data = (files("headwater.filters") / "data" / "noise.json").read_text("utf-8")
    content = json.loads(data)
    assert data == json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False) + "\n"
    assert {"about", "data", "licence", "settings"} <= set(content["card"])
