"""Decontamination: equality with the slow reference, what does not matter in a text, short items, passages, adversarial text."""

from __future__ import annotations

import random
import time
from functools import cache

import numpy as np
import pyarrow as pa
import pytest
from contamination_reference import Reference, words_of

from headwater.errors import BadInputError
from headwater.filters.contamination.find import find_contamination
from headwater.filters.contamination.fold import (
    READINGS,
    SIGNS_SEPARATE,
    cut_words,
    fold_tables,
    fold_words,
    make_words,
)
from headwater.filters.contamination.index import ContaminationIndex, ItemSet, build_index
from headwater.filters.contamination.items import Item, ItemFields, make_item

QUESTION = (
    "Janet’s ducks lay 16 eggs per day. She eats three for breakfast every morning and bakes muffins for her friends every day with four. "
    "How much in dollars does she make?"
)
ITEM = Item(
    name="7",
    question=QUESTION,
    answers=("She sells 16 - 3 - 4 = 9 duck eggs a day.\nShe makes 9 * 2 = 18 dollars.",),
    known=False,
)
ALPHABET = [
    "a",
    "b",
    "c",
    "dd",
    "E",
    "é",
    "e\u0301",
    "ﬁ",
    "Ａ",
    "１",
    "٣",
    "it's",
    "don’t",
    "x_y",
    "東",
    "京",
    "で",
    "カ",
    "ก",
    "ก็",
    "한",
    "½",
    "ß",
]
GAPS = [" ", " ", " ", "\n", ", ", ". ", "-", "'", "", "\u00a0", "（", "\t$"]


@cache
def _eggs() -> ContaminationIndex:
    """Return the index of the one item about ducks."""
    return build_index([ItemSet(name="eggs", items=(ITEM,))])


def found(text: str, *items: Item, least: float = 0.1) -> list[tuple[str, str, float]]:
    """Return item, part and overlap of what a text has of some items, or of the one about ducks."""
    index = build_index([ItemSet(name="set", items=items)]) if items else _eggs()
    rows = find_contamination(pa.array([text]), index, least).to_pylist()
    return [(row["item"], row["part"], round(row["overlap"], 3)) for row in rows]


def item(name: int, question: str, *answers: str, known: bool = False) -> Item:
    """Return an item."""
    return Item(name=str(name), question=question, answers=answers, known=known)


def _text(dice: random.Random, words: int, alphabet: list[str]) -> str:
    return "".join(dice.choice(alphabet) + dice.choice(GAPS) for _ in range(words))


@pytest.mark.parametrize("seed", range(6))
def test_rows_equal_the_reference(seed: int) -> None:
    """On random items and texts of few words in eight scripts: the same items, parts, overlaps, counts and bytes as lists and sets give."""
    dice = random.Random(seed)
    alphabet = dice.sample(ALPHABET, 9)
    sets = []
    for name in ("one", "two"):
        shared = _text(dice, 7, alphabet)
        items = []
        for number in range(8):
            question = _text(dice, dice.randint(0, 12), alphabet) + (shared if dice.random() < 0.3 else "")
            answers = [_text(dice, dice.randint(0, 8), alphabet) for _ in range(dice.randint(0, 3))]
            items.append(item(number, question, *dict.fromkeys(answers), known=dice.random() < 0.5))
        sets.append(ItemSet(name=name, items=tuple(items)))
    everything = [text for each in sets for one in each.items for text in (one.question, *one.answers)]
    texts = []
    for _ in range(120):
        parts = [
            dice.choice([dice.choice(everything), _text(dice, dice.randint(0, 6), alphabet)])
            for _ in range(dice.randint(0, 6))
        ]
        text = " ".join(parts)
        texts.append(
            dice.choice([text, text.upper(), text.replace("'", " "), text.replace("-", ""), text.replace(" ", "\n")])
        )
    reference = Reference(sets, 5)
    expected = [(row, *match) for row, text in enumerate(texts) for match in reference.find(text, 0.1, 6)]
    rows = find_contamination(pa.array(texts), build_index(sets, 5), 0.1, 6)
    assert len(expected) > 50
    assert [tuple(row.values()) for row in rows.to_pylist()] == [
        (*row[:4], float(np.float32(row[4])), *row[5:]) for row in expected
    ]


@pytest.mark.parametrize("reading, separators", list(zip(READINGS, (" .", " ", " .'"), strict=True)))
def test_words_equal_the_reference(reading: int, separators: str) -> None:
    """Words, weights and bytes of mixed text are those of the plain definition, in each reading."""
    dice = random.Random(3)
    tables = fold_tables()
    for _ in range(200):
        text = _text(dice, dice.randint(0, 12), ALPHABET)
        data = np.frombuffer(text.encode(), np.uint8)
        words = make_words(len(data))
        n = cut_words(data, 0, len(data), tables, reading, words)
        expected = words_of(text, separators)
        found = zip(
            np.diff(words.weights[: n + 1]).tolist(), words.begins[:n].tolist(), words.ends[:n].tolist(), strict=True
        )
        assert list(found) == [(word.weight, word.begin, word.end) for word in expected]


@pytest.mark.parametrize(
    "changed",
    [
        QUESTION,
        QUESTION.upper(),
        QUESTION.replace(" ", "\n"),
        QUESTION.replace("’", "'").replace(".", " !").replace("?", ""),
        QUESTION.replace("’", " "),
        "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in QUESTION),
        "".join(c for c in QUESTION if c.isalnum() or c.isspace()),
    ],
    ids=["verbatim", "upper", "lines", "signs", "apostrophe", "full-width", "no signs"],
)
def test_form_does_not_matter(changed: str) -> None:
    """Case, line breaks, signs and compatibility forms change nothing: the whole question is found, amid other text."""
    assert found(f"Of something else. {changed} And more.") == [("7", "question", 1.0)]


def test_digits_matter() -> None:
    """The same problem with other numbers shares only the n-grams without them; arithmetic items differ in nothing else."""
    other = QUESTION.replace("16", "17").replace("three", "five").replace("four", "six")
    assert found(other) == []
    assert 0.5 < found(QUESTION.replace("16", "17"))[0][2] < 0.9


def test_question_and_answer_are_told_apart() -> None:
    """Each part has its row; the answer's own n-grams are found without the question too."""
    assert found(f"{QUESTION}\n{ITEM.answers[0]}") == [("7", "question", 1.0), ("7", "answer", 1.0)]
    assert found(ITEM.answers[0]) == [("7", "answer", 1.0)]


def test_overlap_is_the_share_of_the_ngrams() -> None:
    """Half of a question has half of its n-grams; twelve of thirteen words have none."""
    words = [f"word{i}" for i in range(33)]
    only = item(1, " ".join(words))
    assert found(" ".join(words[:23]), only) == [("1", "question", round(11 / 21, 3))]
    assert found(" ".join(words[:12]), only) == []


def test_a_passage_is_not_its_questions() -> None:
    """A text that several questions share weighs little beside what is their own: the passage alone is no question found whole."""
    passage = " ".join(f"passage{i}" for i in range(40))
    items = [item(i, f"{passage} " + " ".join(f"own{i}x{j}" for j in range(20))) for i in range(5)]
    assert all(overlap < 0.1 for _, _, overlap in found(passage, *items, least=0.01))
    assert found(items[3].question, *items, least=0.2) == [("3", "question", 1.0)]


def test_a_short_question_weighs_its_words() -> None:
    """Fewer than 13 words must stand whole and count as their share of 13; a word less and there is nothing."""
    short = item(1, "Which organ of frogs secretes insulin today?")
    assert found("Say which organ of frogs secretes insulin today.", short) == [("1", "question", round(7 / 13, 3))]
    assert found("Say which organ of frogs secretes insulin.", short) == []


def test_common_short_questions_need_an_answer_nearby() -> None:
    """What three items ask alike tells none of them; with a choice of its own within 100 words it tells that one."""
    items = [item(i, "Which of these is true?", f"frogs are number{i} animals", "none", known=True) for i in range(3)]
    question = "Which of these is true?"
    assert found(question, *items) == []
    assert found(f"{question} Frogs are number1 animals", *items) == [("1", "question", 0.385), ("1", "answer", 1.0)]
    assert found(f"{question} {'and ' * 100}none, frogs are number1 animals", *items) == []
    assert found(f"frogs are number1 animals {'and ' * 90} {question}", *items) == [
        ("1", "question", 0.385),
        ("1", "answer", 1.0),
    ]


def test_too_short_and_empty_items_match_nothing() -> None:
    """Two words, none at all, or signs only cannot be told from ordinary text; the counts say so."""
    items = [item(0, "Osteoclasts are:"), item(1, "", "x"), item(2, "?!"), item(3, "two plus frogs make")]
    index = build_index([ItemSet(name="set", items=tuple(items))])
    assert (index.matchable["set"].alone, index.matchable["set"].unmatchable) == (1, 3)
    assert found("Osteoclasts are: x ?!", *items) == []


@pytest.mark.parametrize(
    "letter, letters",
    [("一", 26), ("ぁ", 26), ("ァ", 52), ("ก", 46)],
    ids=["Han", "Hiragana", "Katakana", "Thai"],
)
def test_scripts_without_spaces(letter: str, letters: int) -> None:
    """26 Han or Hiragana letters, 52 Katakana ones weigh as much as 13 words; Thai has 46 consonants, all of them short of it."""
    dice = random.Random(1)
    text = (
        "".join(chr(ord(letter) + i) for i in dice.sample(range(46), letters))
        if letters <= 46
        else "".join(chr(ord(letter) + i) for i in dice.sample(range(80), letters))
    )
    weight = sum(word.weight for word in words_of(text))
    hits = found(f"前文。{text}後文", item(1, text))
    assert hits == [("1", "question", round(min(1.0, weight / 52), 3))]
    assert found(f"{text[:10]}。{text[10:]}", item(1, text))[0][2] == hits[0][2]
    assert found(text[1:], item(1, text)) == []


def test_accents_may_be_lost_or_taken_apart() -> None:
    """Precomposed, decomposed and left-out accents, niqqud and tone marks are one text."""
    text = "Où est passé l'élève aîné très gêné par son père hâtif à Noël près du théâtre"
    for form in (text, "Ou\u0300 est passe\u0301" + text[12:], text.translate(str.maketrans("ùéèîêâàë", "ueeieaae"))):
        assert found(form, item(1, text)) == [("1", "question", 1.0)]


def test_borders_of_batches_do_not_matter() -> None:
    """Each text alone, all in one batch, and as large_string give the same rows."""
    texts = [QUESTION, "", "nothing", f"{QUESTION} {ITEM.answers[0]}", None, QUESTION[:120]]
    whole = find_contamination(pa.array(texts, pa.large_string()), _eggs()).to_pylist()
    single = []
    for row, text in enumerate(texts):
        single += [
            each | {"row": row} for each in find_contamination(pa.array([text], pa.string()), _eggs()).to_pylist()
        ]
    sliced = find_contamination(pa.array(["x", *texts], pa.string()).slice(1), _eggs()).to_pylist()
    assert whole == single == sliced
    assert len(whole) == 4


def test_the_order_of_sets_does_not_matter() -> None:
    """The index of the same sets in another order finds the same, byte by byte."""
    sets = [ItemSet(name="a", items=(ITEM,)), ItemSet(name="b", items=(item(1, QUESTION + " Why though?"),))]
    texts = pa.array([QUESTION, QUESTION + " Why though?"])
    assert find_contamination(texts, build_index(sets)).equals(find_contamination(texts, build_index(sets[::-1])))


@pytest.mark.parametrize(
    "kind", ["one n-gram", "short question", "one letter", "marks", "expanding", "no spaces", "answers"]
)
def test_adversarial_text_takes_linear_time(kind: str) -> None:
    """Twice the text takes about twice the time: a repeated n-gram, short question or answer, one letter, marks, expanding characters."""
    items = (ITEM, item(1, "What is true here?", *(f"w{i}" for i in range(60))), item(2, "w " * 500))
    index = build_index([ItemSet(name="set", items=items)])
    unit = {
        "one n-gram": QUESTION + " ",
        "short question": "What is true here? w1 ",
        "one letter": "a",
        "marks": "\u0301",
        "expanding": "\ufdfa",
        "no spaces": "漢",
        "answers": " ".join(f"w{i}" for i in range(60)) + " ",
    }[kind]
    seconds = []
    for size in (1 << 20, 1 << 22):
        texts = pa.array([unit * (size // len(unit.encode()))])
        find_contamination(texts, index)
        begin = time.thread_time()
        rows = find_contamination(texts, index)
        seconds.append(time.thread_time() - begin)
        assert rows.num_rows <= 4
    assert seconds[1] < 40 * max(seconds[0], 0.01)


@pytest.mark.parametrize(
    "record, question, answers, known",
    [
        ({"question": "q", "answer": "a"}, "q", ("a",), False),
        ({"problem": "q", "solution": "s", "answer": 204}, "q", ("204", "s"), False),
        ({"prompt": "q", "canonical_solution": "c", "test": "t", "text": "x"}, "q", ("c", "t"), False),
        ({"text": "q", "code": "c", "test_list": ["t", "u"]}, "q", ("c", "t", "u"), False),
        ({"question": "q", "choices": ["x", "y"], "answer": "B"}, "q", ("y", "x"), True),
        ({"question": "q", "choices": ["x", "y"], "answer": 0}, "q", ("x", "y"), True),
        ({"question": "q", "choices": ["x", "y"], "answer": "y"}, "q", ("y", "x"), True),
        ({"question": "q", "choices": ["x", "y"], "answer": "E"}, "q", ("E", "x", "y"), False),
        ({"question": "q", "choices": {"text": ["x", "y"]}, "answer": 1}, "q", ("y", "x"), True),
        ({"question": "q"}, "q", (), False),
    ],
)
def test_known_fields(record: dict[str, object], question: str, answers: tuple[str, ...], known: bool) -> None:
    """Question and answers of the usual shapes of evaluation sets; the right choice comes first where it is told."""
    made = make_item(record, 3, ItemFields())
    assert (made.name, made.question, made.answers, made.known) == ("3", question, answers, known)


def test_named_fields_and_ids() -> None:
    """Fields named by hand replace the known ones; a record's own id is the item's name."""
    record = {"id": "x-1", "context": "c", "clue": "q", "response": ["r", None, True, 2], "question": "no"}
    made = make_item(record, 0, ItemFields(question=("context", "clue"), answer=("response",)))
    assert (made.name, made.question, made.answers) == ("x-1", "c\nq", ("r", "2"))


@pytest.mark.parametrize(
    "record, fields, reason",
    [
        ({"clue": "q"}, ItemFields(), "no_question"),
        ({"question": None}, ItemFields(), "no_question"),
        ({"question": "q"}, ItemFields(question=("clue",)), "no_question"),
        ({"question": "q", "answers": ["a" * i for i in range(1, 70)]}, ItemFields(), "too_many_answers"),
    ],
)
def test_records_that_are_no_items(record: dict[str, object], fields: ItemFields, reason: str) -> None:
    """A record without a question, or with more answers than can be, is an error that says so and shows no text."""
    with pytest.raises(BadInputError) as caught:
        make_item(record, 0, fields)
    assert caught.value.reason == reason


def test_words_of_the_worked_example() -> None:
    """Words are cut at signs, whatever the reading leaves of them; format characters and marks vanish."""
    assert fold_words("Café—soft\u00adhy\u200dphen ２٣") == ["cafe", "softhyphen", "23"]
    assert fold_words("a-b_c d'e", SIGNS_SEPARATE) == ["a", "bc", "de"]
