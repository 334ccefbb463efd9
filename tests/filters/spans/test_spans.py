"""Spans of policy lines and e-mail addresses against a plain reference, and the text without them."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pytest
from class_reference import class_letter
from hypothesis import given, settings
from hypothesis import strategies as st
from noise_reference import noisy_lines
from signal_reference import cut, refinedweb_rules, removed_by_c4

from headwater.errors import UsageError
from headwater.filters.signals.measure import measure_signals
from headwater.filters.spans.find import MASK, OPERATORS, apply_spans, find_spans, without_spans

BOTH = ["policy_lines", "emails"]
LINES = ["c4_lines", "noise_lines", "refinedweb_lines"]
PHRASES = re.compile(
    rb"javascript|terms of use|privacy policy|cookie policy|uses cookies|use of cookies|use cookies", re.IGNORECASE
)
EMAIL = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._%+-]*@(?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,}(?![A-Za-z0-9-])")


def reference(text: str) -> list[tuple[str, int, int]]:
    """Operator, begin and end of each span, line by line with regular expressions."""
    found, at = [], 0
    for line in text.encode().splitlines(keepends=True) if "\r" not in text else text.encode().split(b"\n"):
        if PHRASES.search(line):
            found.append(("policy_lines", at, at + len(line)))
        else:
            found += [("emails", at + match.start(), at + match.end()) for match in EMAIL.finditer(line)]
        at += len(line)
    return found


def noisy_line_numbers(text: str) -> set[int]:
    """Numbers of the lines that are noise, blank lines counted."""
    lines = [(number, "".join(map(class_letter, line)), cut(line)) for number, line in enumerate(text.split("\n"))]
    filled = [(number, shape, tokens) for number, shape, tokens in lines if tokens]
    noisy = noisy_lines([(shape, tokens) for _, shape, tokens in filled])
    return {number for (number, _, _), gone in zip(filled, noisy, strict=True) if gone}


def reference_of_all(text: str, operators: list[str]) -> list[tuple[str, int, int]]:
    """As `reference`, with the operators that judge lines; the first by name owns a line."""
    found, at = [], 0
    noisy = noisy_line_numbers(text)
    for number, line in enumerate(text.encode().split(b"\n")):
        whole, plain = len(line) + 1, line.decode()
        filled = bool(cut(plain))
        judged = {
            "c4_lines": filled and removed_by_c4(plain),
            "noise_lines": number in noisy,
            "policy_lines": PHRASES.search(line) is not None,
            "refinedweb_lines": filled and any(refinedweb_rules(plain)),
        }
        owners = [name for name, removed in judged.items() if removed and name in operators]
        if owners:
            found.append((owners[0], at, min(at + whole, len(text.encode()))))
        elif "emails" in operators:
            found += [("emails", at + match.start(), at + match.end()) for match in EMAIL.finditer(line)]
        at += whole
    return found


def spans_of(text: str, operators: list[str] = BOTH) -> list[tuple[str, int, int]]:
    """Operator, begin and end of each span of one text."""
    rows = find_spans(pa.array([text]), operators).to_pylist()
    return [(row["operator"], row["span_begin"], row["span_end"]) for row in rows]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "plain",
        "write to jane.doe+x@mail.example.org.",
        "a@b.co,c@d.example b@c @x.org x@ x@y x@y.z x@y.c0m <q@r.io>",
        "@@@ a@b@c.de x@-.de x..y@example.org",
        "Enable JAVASCRIPT\nkept\nOur Cookie Policy",
        "\n\nprivacy policy me@example.org\n\nme@example.org",
        "é@example.org né.e@example.org 東京me@example.org東京",
        "terms of usejavascript\nuse cookie\nuses cookies",
        "lorem ipsum javascript\nlorem ipsum a@b.de",
        "a@example.org.\nb@example.org-",
    ],
)
def test_spans_equal_reference(text: str) -> None:
    """Lines and addresses are found where the regular expressions find them."""
    assert spans_of(text) == reference(text)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.sampled_from(["a@b.co", "use cookies", "javascript", "\n", " ", "@", ".", "x", "é", "-", "1"]), max_size=25
    )
)
def test_any_mixture_equals_reference(parts: list[str]) -> None:
    """The same on arbitrary mixtures, among them addresses in dropped lines."""
    text = "".join(parts)
    assert spans_of(text) == reference(text)


_MIXTURE = st.lists(
    st.sampled_from(
        [
            *[
                "a@b.co",
                "use cookies",
                "javascript",
                "\n",
                "\n",
                "\n",
                " ",
                " ",
                ".",
                "the cat sat.",
                "ABC",
                "12",
                "é",
                "@",
            ],
            *[
                "3 likes",
                "Sign-in",
                "read more...",
                "items in cart",
                "…",
                "”",
                "東京に行く。",
                "é" * 501,
                "a b c d e f",
                "\t",
            ],
        ]
    ),
    max_size=25,
).map("".join)


@settings(max_examples=200, deadline=None)
@given(_MIXTURE, st.sets(st.sampled_from([*BOTH, *LINES])).map(sorted))
def test_any_operators_equal_reference(text: str, operators: list[str]) -> None:
    """Whichever operators are chosen, their spans are the reference's, sorted, merged and owned by the first by name."""
    assert spans_of(text, operators) == reference_of_all(text, operators)


@settings(max_examples=100, deadline=None)
@given(_MIXTURE)
def test_spans_remove_what_signals_say(text: str) -> None:
    """The chars of the spans of c4_lines, newlines apart, and the words of refinedweb_lines are those of the signals."""
    row = measure_signals(pa.array([text]), pa.array(["en"])).to_pylist()[0]
    raw = text.encode()
    gone = [raw[begin:end].decode().removesuffix("\n") for _, begin, end in spans_of(text, ["c4_lines"])]
    assert row["c4_removed_chars_fraction"] == np.float32(sum(map(len, gone)) / max(len(text), 1))
    assert row["c4_removed_lines_fraction"] == np.float32(len(gone) / max(row["c4_lines"], 1))
    gone = [raw[begin:end].decode() for _, begin, end in spans_of(text, ["refinedweb_lines"])]
    words = sum(token.is_word for line in gone for token in cut(line))
    assert row["refinedweb_removed_words_fraction"] == np.float32(words / max(row["gopher_words"], 1))


def test_as_many_spans_as_there_can_be() -> None:
    """Room is made for a span in every two bytes and one more a text, or in every six where no lines are cut: the shortest that there are."""
    for n in (1, 2, 3, 100):
        assert find_spans(pa.array(["x"] * n), LINES).num_rows == n
        assert find_spans(pa.array(["x\n" * 50 + "x"] * n), LINES).num_rows == 51 * n
        assert find_spans(pa.array(["a@b.co"] * n), ["emails"]).num_rows == n
        assert find_spans(pa.array(["a@b.co,a@b.co\nc@d.eu"] * n), ["emails", "policy_lines"]).num_rows == 3 * n
        assert find_spans(pa.array(["javascript\nUSE COOKIES"] * n), ["emails", "policy_lines"]).num_rows == 2 * n


def test_many_spans_of_several_texts() -> None:
    """A batch with many spans is found whole, each text's from its own begin."""
    texts = ["", "x\n" * 3000, "plain text here.", "y\n" * 9000, "z\n"]
    batch = find_spans(pa.array(texts), ["c4_lines", "refinedweb_lines"])
    assert np.bincount(batch["row"].to_numpy(), minlength=5).tolist() == [0, 3000, 0, 9000, 1]
    assert batch["span_begin"].to_numpy()[3000:12000].tolist() == list(range(0, 18000, 2))
    assert set(batch["operator"].to_pylist()) == {"c4_lines"}


def test_batch_is_sorted_with_actions() -> None:
    """Spans come by row and begin with the row's number and the operator's action; offsets start anew each row."""
    texts = pa.array(["pad a@b.co", None, "x\nuse cookies\na@b.co"])[1:]
    batch = find_spans(texts, BOTH)
    assert batch.to_pylist() == [
        {"row": 1, "operator": "policy_lines", "span_begin": 2, "span_end": 14, "action": "drop"},
        {"row": 1, "operator": "emails", "span_begin": 14, "span_end": 20, "action": "mask"},
    ]
    assert batch.schema.types == [pa.int32(), pa.string(), pa.int64(), pa.int64(), pa.string()]


def test_operators_are_chosen() -> None:
    """Only the operators named are run; with one alone, an address in a policy line is an address again."""
    text = "use cookies a@b.co\n"
    assert spans_of(text, ["emails"]) == [("emails", 12, 18)]
    assert spans_of(text, ["policy_lines"]) == [("policy_lines", 0, 19)]
    assert spans_of(text, []) == []
    with pytest.raises(UsageError, match="phones"):
        find_spans(pa.array([text]), ["phones"])
    assert set(OPERATORS) == {*BOTH, *LINES}


def test_apply_removes_and_masks() -> None:
    """Dropped bytes go, masked ones become the marker, texts without spans stay as they are."""
    texts = pa.array(["pad", "né a@b.co é\nuse cookies\nend", "same", None])[1:]
    spans = find_spans(texts, BOTH)
    clean = apply_spans(
        texts,
        spans["row"].to_numpy(),
        spans["span_begin"].to_numpy(),
        spans["span_end"].to_numpy(),
        spans["action"],
    )
    assert clean.type == pa.large_string()
    assert clean.to_pylist() == [f"né {MASK} é\nend", "same", ""]
    assert find_spans(clean, BOTH).num_rows == 0


@pytest.mark.parametrize(
    ("rows", "begins", "ends", "actions"),
    [
        ([0], [0], [9], ["drop"]),
        ([0], [2], [1], ["drop"]),
        ([0], [1], [2], ["drop"]),
        ([2], [0], [1], ["drop"]),
        ([-1], [0], [1], ["drop"]),
        ([1, 0], [0, 0], [1, 1], ["drop", "drop"]),
        ([1, 1], [0, 1], [2, 3], ["drop", "drop"]),
        ([0], [0], [1], ["cut"]),
        ([0], [0], [1], []),
    ],
)
def test_apply_refuses_foreign_spans(rows: list[int], begins: list[int], ends: list[int], actions: list[str]) -> None:
    """Spans that reach out of their text, overlap, are unsorted or cut a character are an error, never a wrong text."""
    with pytest.raises(UsageError, match="apply_spans"):
        apply_spans(pa.array(["aé", "abc"]), np.array(rows), np.array(begins), np.array(ends), actions)


def test_apply_accepts_touching_and_empty_spans() -> None:
    """Spans that touch, are empty, or cover the whole text are legal."""
    clean = apply_spans(
        pa.array(["abc", "d"]),
        np.array([0, 0, 0, 1]),
        np.array([0, 1, 2, 0]),
        np.array([1, 1, 3, 1]),
        ["drop", "drop", "mask", "drop"],
    )
    assert clean.to_pylist() == [f"b{MASK}", ""]


def test_spans_find_their_samples() -> None:
    """Spans are applied to the sample that they name; those of samples that are not in the table are ignored."""
    table = pa.table({"sample_id": pa.array([5, 8, 9], pa.int64()), "text": ["abcdef", "ghi", "jkl"]})
    spans = pa.table(
        {
            "sample_id": pa.array([1, 5, 9], pa.int64()),
            "span_begin": pa.array([0, 1, 0], pa.int64()),
            "span_end": pa.array([2, 3, 3], pa.int64()),
            "action": ["drop", "drop", "mask"],
        }
    )
    assert without_spans(table, spans).to_pylist() == ["adef", "ghi", "<masked>"]
