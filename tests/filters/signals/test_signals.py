"""The compiled signals equal the reference, on real text of every language and on hostile text; the shape of the batch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from real_text import ALL, first_texts
from signal_reference import reference_signals

from headwater.errors import UsageError
from headwater.filters.signals.lexicon import CONNECTIVES, STEP_WORDS, STOP_WORDS
from headwater.filters.signals.measure import DESCRIPTIONS, SIGNALS, measure_signals

EDGE_TEXTS = [
    "",
    " ",
    "\n",
    "\n\n\n",
    "a",
    "a\n",
    "a b a b a b a b a b a b a b a b a b a b a b a b",
    "the same line\nthe same line\nthe  same line\nthe\u00a0same line\n\nthe same line\nthe same line",
    "One paragraph.\nOf two lines.\n\nAnother.\n \nOne paragraph.\nOf two lines.\n",
    "Wait... what?! He said: “No.” Dr. Who… ok",
    "1. First, 2+2=4.\n2) then x == y => z\nStep 3: \\frac{1}{2} = 0.5 $a$\n\\\\begin \\ begin",
    '<p class="x" id=\'y\' z=1 w = "v" a=“b” f(x)="" g=\'\'>1 =" x=\'',
    "We use\ncookies. We USE Cookies! JavaScript\nLOREM ipsum {} http://x.org ://",
    "def f(x):\n    return {x: 1}\n\tif (a[0] == b) {\n}\n};\n- [a](b);\n# comment {\nτι; κάνεις;",
    "don't o’clock __init__ a_b 1,000.5 3.14. 1.a a.1 ..5 x-y 'quoted' שב״כ ג׳ירפה",
    "東京都に行きました。カタカナー語とひらがな。中文字符，标点！因此如果",
    "ภาษาไทยไม่มีช่องว่าง เพราะ ดังนั้น ที่นี่ หนึ่ง ๆ",
    "नमस्ते दुनिया। क्या यह ठीक है? বাংলা ভাষা। ৎ",
    "e\u0301te\u0301 \u0301\u0301 ❤️❤️ 👍🏽 -\u0301-\u0301 \u200bab\u200dcd\ufeffx",
    "\ttab\r\nline\r\n  two\r\n",
    "- a\n• b\n  - c\nd -\n…\n...\n. . .\n",
    "x" * 5000 + " " + "y" * 31,
    "\U0001f600\U00020000\U0010ffff\U000e0100",
    # C4 and RefinedWeb: marks of citations, counters, short lines, capitals, numbers
    "as shown[1], [12][3] [[4]] [] [edit] [ 1] [1 ] [1,2] [1.5] [citation needed] [citation  needed] [Edit] [x [",
    "3 likes\n1.2K views\n - 1,000,000 Followers!\n3likes\n3 like\n3. likes\n3 x likes\n3x likes\nx 3\n3 -likes\n3m\tquotes",
    "3\u00a0shares\n٣ likes\n3 likes likes\n 7b  upvotes .\n5 comments_\n4,.9k bookmarks\n8 downloads\n9k\n1 k\n",
    "Sign-in\nSIGN-IN to go on.\nsign-i\nPlease sign-in\nRead more...\nThe cat read more....\nread more…\nread more..",
    "There are 3 items in cart\none two three four five six seven eight items in cart\na b c d e f g h items in cart",
    "ALL CAPS\nABCd\nABcd\nABC de\nΑΒΓ ДЕЖ Ǆ ǅ ß\nA1 B2 1 A-B ÀÉ a\u0301A\u0301 \u2102",
    "123\n1 2\n１２３\n12.5\n½\n٣٤\n1\n",
    "• a\n‣ b\n▶ c\n– d\n— e\n■\n▪ f\n◦ g.\n“So.”\n“So”\nSo!\n",
    "x" * 1001 + " b c.\n" + "x" * 1000 + " b c.\n" + "y " * 600 + "end.",
    "a" * 199 + "\n" + "a" * 200 + "\n" + "é" * 200,
    "lorem ipsum lorem ipsum\nlorem  ipsum JavaScript javascript:\nuse cookies use cookies",
    "Wait. What? No! ... 3.14 a.b. c\nd\n. e",
    "one two three four five six. one two three four five six. one two three four five seven.",
]


def assert_equal_to_reference(texts: list[str], languages: list[str]) -> None:
    """Fail at the first signal that differs from the reference in any bit of its stored type."""
    batch = measure_signals(pa.array(texts, pa.string()), pa.array(languages, pa.string()))
    rows = batch.to_pylist()
    for number, (text, language, row) in enumerate(zip(texts, languages, rows, strict=True)):
        expected = reference_signals(text, language)
        assert list(expected) == list(SIGNALS)
        for name, kind in SIGNALS.items():
            wanted = np.float32(expected[name]) if pa.types.is_floating(kind) else expected[name]
            assert row[name] == wanted, f"text {number} ({language}): {name}"


def real_texts(files: list[Path], per_file: int, most_chars: int) -> tuple[list[str], list[str]]:
    """A few texts of each file, spread over its beginning."""
    texts, languages = [], []
    for path in files:
        found = first_texts(path, 400_000)
        chosen = found[:: max(1, len(found) // per_file)][:per_file]
        texts += [text[:most_chars] for text in chosen]
        languages += [path.name.partition(".")[0]] * len(chosen)
    return texts, languages


@pytest.mark.parametrize("language", [*STOP_WORDS, "und"])
def test_edge_texts_equal_reference(language: str) -> None:
    """Every signal of every edge text equals the plain reference, whatever the language's lists."""
    assert_equal_to_reference(EDGE_TEXTS, [language] * len(EDGE_TEXTS))


@pytest.mark.slow
def test_corpus_equals_reference(real_text_files: list[Path]) -> None:
    """Every signal equals the plain reference on real text of all languages."""
    files = [path for path in real_text_files if path.stat().st_size]
    if not ALL:  # a file of every source, and one of every language
        files = [*{path.parent.name: path for path in files}.values(), *{path.name: path for path in files}.values()]
        files = sorted(dict.fromkeys(files))
    texts, languages = real_texts(files, per_file=2, most_chars=6000)
    assert texts
    assert_equal_to_reference(texts, languages)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.text(alphabet="aB1 .,…\n\t'_-=\\${}#:/?!\"東とカก\u0301é。।😀;", max_size=80),
        min_size=1,
        max_size=4,
    ),
    st.sampled_from(["en", "zh", "th", "und"]),
)
def test_any_text_equals_reference(texts: list[str], language: str) -> None:
    """Every signal equals the plain reference on arbitrary mixtures of what the kernels tell apart."""
    assert_equal_to_reference(texts, [language] * len(texts))


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                *[
                    "3",
                    "1.2K",
                    "likes",
                    "VIEWS",
                    "sign-in",
                    "Read more",
                    "...",
                    "items in cart",
                    "[",
                    "]",
                    "edit",
                    "12",
                ],
                *[
                    "citation needed",
                    "lorem ipsum",
                    "JavaScript",
                    "use cookies",
                    "ABC",
                    "Éa",
                    "٣",
                    "½",
                    "•",
                    "–",
                    "東京",
                ],
                *["a b c d e f", "the cat sat", ".", "”", "…", "{", "}", "x" * 600, " ", " ", "\n", "\n", "\n\n", "\t"],
            ]
        ),
        max_size=30,
    )
)
def test_any_phrases_equal_reference(parts: list[str]) -> None:
    """Every signal equals the plain reference on arbitrary mixtures of what the line rules look for."""
    assert_equal_to_reference(["".join(parts)], ["en"])


@given(st.text(max_size=200))
@settings(max_examples=100, deadline=None)
def test_arbitrary_unicode_equals_reference(text: str) -> None:
    """No code point is out of reach of the kernels."""
    assert_equal_to_reference([text], ["en"])


def test_empty_text_is_zero() -> None:
    """Counts and fractions of an empty text, and of a null, are 0 and never NaN."""
    batch = measure_signals(pa.array(["", None]), pa.array(["en", None]))
    assert all(value == 0 for row in batch.to_pylist() for value in row.values())


def test_batch_has_the_declared_columns() -> None:
    """The batch has the columns of SIGNALS with their types, in order, and each is described."""
    batch = measure_signals(pa.array(["x"]), pa.array(["en"]))
    assert dict(zip(batch.schema.names, batch.schema.types, strict=True)) == SIGNALS
    assert list(DESCRIPTIONS) == list(SIGNALS)
    assert measure_signals(pa.array([], pa.string()), pa.array([], pa.string())).num_rows == 0


def test_slices_and_types_do_not_matter() -> None:
    """A slice, a chunked array and large_string give the signals of the same texts."""
    texts, languages = ["pad", "The cat. The cat.", "的 了 不"], ["en", "en", "zh"]
    whole = measure_signals(pa.array(texts, pa.large_string()), pa.array(languages))
    sliced = measure_signals(pa.array(texts)[1:], pa.array(languages)[1:])
    chunked = measure_signals(pa.chunked_array([texts[:1], texts[1:]]), pa.chunked_array([languages]))
    assert sliced.to_pylist() == whole.to_pylist()[1:]
    assert chunked.to_pylist() == whole.to_pylist()


def test_rows_do_not_touch_each_other() -> None:
    """A text has the same signals alone as after any other text: scratch is clean."""
    languages = ["en"] * len(EDGE_TEXTS)
    together = measure_signals(pa.array(EDGE_TEXTS), pa.array(languages)).to_pylist()
    alone = [measure_signals(pa.array([text]), pa.array(["en"])).to_pylist()[0] for text in EDGE_TEXTS]
    assert together == alone


def test_wrong_arguments() -> None:
    """Languages that do not match the texts, and texts that are no strings, are refused."""
    with pytest.raises(UsageError, match="one language a text"):
        measure_signals(pa.array(["a"]), pa.array(["en", "de"]))
    with pytest.raises(UsageError, match="large_string"):
        measure_signals(pa.array([1]), pa.array(["en"]))


def test_every_language_has_lists() -> None:
    """The 30 languages have stop words (Gopher asks for 2), connectives and step words."""
    assert len(STOP_WORDS) == 30
    assert set(STOP_WORDS) == set(CONNECTIVES) == set(STEP_WORDS)
    assert all(len(set(words.split())) >= 8 for words in STOP_WORDS.values())
