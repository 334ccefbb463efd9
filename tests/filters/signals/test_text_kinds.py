"""Signals by which kinds of text show: worked examples by hand, and what the lists that they count by must be like."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from headwater.filters.signals.cue_categories import CATEGORIES
from headwater.filters.signals.cues import cue_masks, load_cues, read_cues
from headwater.filters.signals.kinds import kinds
from headwater.filters.signals.lexicon import STOP_WORDS, UNSPACED
from headwater.filters.signals.measure import measure_signals
from headwater.filters.signals.word_ranks import N_COMMON, N_FREQUENT, fold, read_ranks
from headwater.filters.words.cut import cut_text


def measured(text: str, language: str = "en") -> dict[str, float]:
    """The signals of one text."""
    return measure_signals(pa.array([text]), pa.array([language])).to_pylist()[0]


def count_of(name: str, text: str, language: str = "en") -> float:
    """How often what a signal counts per 1000 words is in the text."""
    found = measured(text, language)
    return round(found[f"hw_{name}_per_kword"] * found["gopher_words"] / 1000, 3)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("exclamations", "Oh! No!! ¡Ay! 哦！", 5),
        ("commas", "1,000 apples, pears، 梨、桃，", 4),
        ("quotes", "“He” «said» 'no' it's \"so\" 「は」", 8),
        ("brackets", "f(x) (y（z", 3),
        ("colons", "At 10:30: see http://x.org", 2),
        ("semicolons", "a; b；c؛ d", 3),
        ("dashes", "a – b — c - d -- e --- f x-y\n- g\n– h ——", 6),
        ("ellipses", "so... well… ....... x", 4),
        ("currency", "$5 US$ 7 5$ 5 $ $x$ \\$ € ₹", 5),
        ("percents", "5 % 5٪ 5‰ x", 3),
        ("pictures", "🙂 → ★ • ■ © ─ x", 5),
        ("emails", "a@b.org @c d @ e f@ g @@ h", 1),
        ("numbers", "3 3rd v3 ٣ 1,000.5 x", 4),
        ("years", "999 1000 2099 2100 1999s 1,999 ١٩٩٩ १९९९ 1८९० ½999", 5),
        ("names", "The Cat sat. On Monday\nJohn saw GDP rise. iPhone", 3),
    ],
)
def test_counts(name: str, text: str, expected: int) -> None:
    """Each mark, name and number is counted as the column's definition says."""
    assert count_of(name, text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a = 1, f(x)=2 and b =3", 3),
        ("<a class=\"x\" id='y' href=z>", 1),
        ('title = "quoted after a space"', 1),
        ("a == b, a => b, a =~ b, a != b", 0),
    ],
)
def test_equations_are_no_attributes_of_html(text: str, expected: int) -> None:
    """An equals sign right before a quotation mark sets an attribute and states nothing."""
    assert measured(text)["hw_equations"] == expected


def test_page_of_html_is_no_mathematics() -> None:
    """A page with an attribute a line is prose by its signals."""
    page = '<p class="note">Ask before you open a pull request, and say what you want to change and why.</p>\n' * 8
    assert kinds(measure_signals(pa.array([page]), pa.array(["en"]))).to_pylist() == ["prose"]


def test_sentences_end_at_marks_and_lines() -> None:
    """Sentences of 3, 1 and 2 words: mean 2, standard deviation √(2/3); one sentence deviates by 0."""
    found = measured("One two three. Four\nfive six\n...\n\n")
    assert found["hw_sentence_words"] == 2
    assert found["hw_sentence_words_deviation"] == np.float32((2 / 3) ** 0.5)
    assert measured("One two three.")["hw_sentence_words_deviation"] == 0


def test_common_and_rare_words() -> None:
    """Case, the curly apostrophe and Arabic vowels do not make a word rare; numbers are neither."""
    found = measured("The THE the Don’t don't sesquipedalian 1999 ...")
    assert found["hw_common_words_fraction"] == np.float32(5 / 7)
    assert found["hw_rare_words_fraction"] == np.float32(1 / 7)
    assert measured("l'eau L’EAU", "fr")["hw_common_words_fraction"] == 1
    assert measured("مِن", "ar")["hw_common_words_fraction"] == 1
    assert (
        measured("the cat", "und")["hw_common_words_fraction"]
        == measured("zzyzx", "und")["hw_rare_words_fraction"]
        == 0
    )
    assert fold("IĞDIR İzmir", "tr") == "ığdır izmir"


def test_cues() -> None:
    """Forms, stems, elision and places without spaces, and a category once a word or place."""
    assert "I" in read_cues("en")["first_person"]
    assert count_of("cue_first_person", "I i I'm I’m MY My my") == 5
    stem = next(entry for entry in read_cues("de")["selling"] if entry.endswith("*"))[:-1]
    assert count_of("cue_selling", f"{stem}xyz {stem} x{stem}", "de") == 2
    after = next(entry for entry in read_cues("fr")["past_tense"] if entry.isalpha())
    assert count_of("cue_past_tense", f"{after} qu'{after} qu’{after}", "fr") == 3
    assert count_of("cue_past_tense", f"qu'{after}", "de") == 0
    entry = read_cues("zh")["praise"][0]
    assert count_of("cue_praise", f"{entry}{entry}x{entry}", "zh") == 3
    assert all(value == 0 for name, value in measured("I buy", "und").items() if name.startswith("hw_cue"))


def test_cue_files() -> None:
    """All languages have all categories; an entry is one word as `words` cuts it, once a category; stems have 2 letters or more."""
    for language in STOP_WORDS:
        lists = read_cues(language)
        assert list(lists) == list(CATEGORIES)
        assert all(lists.values()), language
        for category, entries in lists.items():
            assert len(set(entries)) == len(entries), (language, category)
            for entry in entries:
                word = entry.removesuffix("*")
                assert len(word) >= 1 + entry.endswith("*"), (language, category)
                assert "*" not in word, (language, category)
                if language not in UNSPACED:
                    assert len(cut_text(word)) == 1 + word.endswith("'"), (language, category)


def test_cue_tables_are_not_full() -> None:
    """Every word is in its table with its categories, with room left, and unknown languages have none."""
    cues = load_cues()
    for row, language in enumerate(STOP_WORDS, 1):
        for table, masks in zip((cues.words[row], cues.starts[row]), cue_masks(language), strict=True):
            filled = table[table[:, 0] != 0]
            assert len(filled) == len(masks) < 0.7 * len(table)
            assert sorted(filled[:, 1].tolist()) == sorted(masks.values())
    assert not cues.words[0].any()
    assert not cues.nodes[0].any()


def test_ranks() -> None:
    """Each of the 30 languages has 10,000 hashes, the 1000 most frequent first."""
    ranks = read_ranks()
    assert set(ranks) == set(STOP_WORDS)
    for halves in ranks.values():
        assert len(halves) == N_FREQUENT
        assert (np.diff(halves[:N_COMMON].astype(np.int64)) > 0).all()
        assert (np.diff(halves[N_COMMON:].astype(np.int64)) > 0).all()


def test_order_of_texts_does_not_matter() -> None:
    """Texts are measured language by language, and the rows are in the order of the texts."""
    texts = ["I buy a house", "我们买", "Ich kaufe", "we sell", "他们说"]
    languages = ["en", "zh", "de", "en", "zh"]
    together = measure_signals(pa.array(texts), pa.array(languages)).to_pylist()
    assert together == [measured(text, language) for text, language in zip(texts, languages, strict=True)]
