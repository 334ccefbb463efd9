"""Languages of texts in the normalisation forms of Unicode, and languages against the scripts of their letters."""

from __future__ import annotations

import unicodedata

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from real_text import read_texts
from test_language import SENTENCES

from conftest import REPOSITORY
from headwater.buffers import text_buffers
from headwater.filters.language.compose import MOST_MARKS, compose, find_decomposed
from headwater.filters.language.identify import LANGUAGES, LanguageModel, identify, load_model
from headwater.filters.language.script import SCRIPTS, count_letters
from headwater.filters.language.windows import whole_documents
from headwater.filters.language.writing import Writing, possible_labels, scripts_of
from headwater.filters.signals.measure import measure_signals

OURS = ["language", "language_score", "script", "language_shares"]
FORMS = ["NFC", "NFD", "NFKC", "NFKD"]


@pytest.fixture(scope="module")
def model() -> LanguageModel:
    """Both models."""
    return load_model()


def in_form(form: str, texts: list[str]) -> pa.LargeStringArray:
    """The texts in a normalisation form."""
    return pa.array([unicodedata.normalize(form, text) for text in texts], pa.large_string())  # type: ignore[arg-type]  # one of FORMS


@pytest.mark.parametrize("form", FORMS)
def test_each_of_the_30_in_each_form(form: str, model: LanguageModel) -> None:
    """A sentence of each language keeps its language in every form, decomposed Korean and Czech among them."""
    found = identify(in_form(form, [text for text, _ in SENTENCES]), model)["language"].to_pylist()
    assert found == [tag for _, tag in SENTENCES]


def test_korean_in_letters_is_korean(model: LanguageModel) -> None:
    """The instance: 한국어 as conjoining letters is Hang and ko, though lid.176 says something else of its bytes."""
    text = unicodedata.normalize(
        "NFD", "비가 그쳤기 때문에 아이들은 걸어서 집으로 돌아갔다. 내일은 다시 비가 온다고 한다."
    )
    row = identify(pa.array([text]), model).to_pylist()[0]
    assert (row["language"], row["script"]) == ("ko", "Hang")
    assert row["language_score"] > 0.9
    assert row["lid_label"] != "ko"


@pytest.mark.parametrize("language", LANGUAGES)
def test_documents_of_the_package_are_judged_alike_in_all_forms(language: str, model: LanguageModel) -> None:
    """Canonically equivalent documents have equal columns of ours, whatever lid.176 says of their bytes, and as many words."""
    texts = [text[:4000] for text in read_texts(REPOSITORY / "src/headwater/demo/web" / f"{language}.jsonl")[:6]]
    composed, decomposed = (in_form(form, texts) for form in ("NFC", "NFD"))
    assert identify(composed, model).select(OURS).equals(identify(decomposed, model).select(OURS))
    words = [
        measure_signals(array, pa.array([language] * len(texts)))["gopher_words"].to_pylist()
        for array in (composed, decomposed)
    ]
    assert sum(words[1]) == pytest.approx(sum(words[0]), rel=0.03)  # kana are cut a little differently


_CHARACTERS = st.one_of(
    st.sampled_from(
        "aeouAE ĵéśạ가각한글\u1100\u1161\u11a8\u1112가बकড়ো\u09c7\u09be\u09d7がか\u3099\u0cc6\u0cc2\u212b\u2126\u0958\u0344ﬁ①"
    ),
    st.sampled_from("\u0301\u0308\u0323\u0327\u0338\u0345\u093c\u0316\u0334\u05bc\u05b7\u0653\u064b"),
    st.characters(exclude_categories=["Cs"]),
)


@settings(max_examples=600, deadline=None)
@given(st.lists(st.lists(_CHARACTERS, max_size=20).map("".join), max_size=4))
def test_every_text_that_is_not_composed_is_found(texts: list[str]) -> None:
    """What comes out is what Python's unicodedata makes of each text, and the rows are those that changed."""
    array = pa.array(texts, pa.large_string())
    composed, rows = compose(array, *text_buffers(array))
    assert composed.to_pylist() == [unicodedata.normalize("NFC", text) for text in texts]
    assert rows.tolist() == [row for row, text in enumerate(texts) if not unicodedata.is_normalized("NFC", text)]


def test_every_code_point_that_is_not_composed_is_found() -> None:
    """Each code point alone and behind a letter, as the reference has it."""
    points = [chr(point) for point in range(0x110000) if not 0xD800 <= point < 0xE000]
    for frame in ("{}", "a{}", "\u0301{}b", "\u1100{}"):
        texts = [frame.format(character) for character in points]
        found = find_decomposed(*text_buffers(pa.array(texts, pa.large_string())))
        changed = np.array([not unicodedata.is_normalized("NFC", text) for text in texts])
        assert not (changed & ~found).any()
        assert (found & ~changed).sum() < 1200, (
            frame
        )  # what is looked at for nothing: marks behind marks, letters of Hangul


def test_long_runs_of_marks_stay_as_they_are() -> None:
    """Ordering a million marks would take hours: up to thirty in a row are composed, more are left alone."""
    for count in (MOST_MARKS, MOST_MARKS + 1, 1_000_000):
        array = pa.array(["e" + ("\u0301\u0316" * count)[:count]])
        _, rows = compose(array, *text_buffers(array))
        assert len(rows) == (count <= MOST_MARKS)


@pytest.mark.parametrize("data", [b"e\xcc", b"\xcc\x81\xff", b"a\xcc\x81\xe1\x84", b"\xf0\x9f"])
def test_bytes_that_are_not_utf8_stay_as_they_are(data: bytes) -> None:
    """Nothing is read behind a text and nothing is raised."""
    offsets = pa.array([0, len(data)], pa.int64()).buffers()[1]
    array = pa.LargeStringArray.from_buffers(1, offsets, pa.py_buffer(data))
    assert compose(array, *text_buffers(array))[1].tolist() == []


def possible(text: str, tag: str) -> bool:
    """Whether a text may be in a language."""
    data, offsets = text_buffers(pa.array([text]))
    letters = count_letters(data, whole_documents(offsets))
    return bool(possible_labels(Writing([tag]), np.array([0], np.int32), letters)[0])


@pytest.mark.parametrize(
    ("text", "tag", "expected"),
    [
        ("한국어", "et", False),
        ("한국어", "ko", True),
        ("a" * 90 + "한" * 10, "ko", True),
        ("a" * 91 + "한" * 9, "ko", False),
        ("a" * 95 + "かな漢字文", "ja", False),
        ("a" * 45 + "かな漢字文", "ja", True),
        ("Привет", "sr", True),
        ("zdravo", "sr", True),
        ("Привет", "en", False),
        ("Привет", "zxx", True),
        ("Привет", "x-en", True),
        ("123 !", "ko", True),
    ],
)
def test_a_language_needs_a_tenth_of_the_letters(text: str, tag: str, expected: bool) -> None:
    """Just at and just below a tenth, scripts of a language together, languages of two scripts; a text without letters may be anything."""
    assert possible(text, tag) == expected


def test_every_script_that_is_named_is_counted(model: LanguageModel) -> None:
    """Each label of both models has scripts that are counted, and each of the 30 languages those of its own sentence."""
    for tag in {*model.labels, *model.own_labels}:
        assert set(scripts_of(tag)) <= set(SCRIPTS), tag
    for text, tag in SENTENCES:
        assert possible(text, tag)
        assert possible(text, "en") == (scripts_of(tag) == ("Latn",))


@settings(max_examples=150, deadline=None)
@given(st.text(st.characters(categories=["Lo", "Ll", "Lu", "Zs"]), min_size=4, max_size=60))
def test_no_language_without_letters_of_its_own(text: str) -> None:
    """Whatever the letters, the language that is found can be written with them, as it stands and decomposed."""
    model = load_model()
    for form in ("NFC", "NFD"):
        row = identify(in_form(form, [text]), model).to_pylist()[0]
        if row["language"] not in ("und", "mul"):
            assert possible(unicodedata.normalize("NFC", text), row["language"])
