"""Items of evaluation sets: which fields of a record are the question and which the answer.

>>> make_item({"question": "2 + 2?", "choices": ["3", "4"], "answer": "B"}, 0, ItemFields())
Item(name='0', question='2 + 2?', answers=('4', '3'), known=True)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from headwater.errors import BadInputError

__all__ = ["ANSWER_FIELDS", "QUESTION_FIELDS", "Item", "ItemFields", "make_item"]

QUESTION_FIELDS: Final = ("question", "problem", "prompt", "text")
"""Known names of the question; the first that a record has is taken."""
ANSWER_FIELDS: Final = (
    *("answer", "solution", "canonical_solution", "code", "test", "test_list", "choices", "options", "endings"),
    *("final_answer", "target", "answers"),
)
"""Known names of answers; all that a record has are taken."""

_NAME_FIELDS: Final = ("id", "task_id", "item")
_CHOICE_FIELDS: Final = ("choices", "options", "endings")
_MOST_ANSWERS: Final = 64
_MOST_NAME: Final = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class ItemFields:
    """Fields that a set's own description names; empty means the known names.

    Attributes:
        question: fields that are joined to the question.
        answer: fields whose strings are answers.
    """

    question: tuple[str, ...] = ()
    answer: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """One item of an evaluation set.

    Attributes:
        name: its id in the set: the record's own, or its 0-based number.
        question: what is asked.
        answers: texts that answer it, or the choices offered; the right one first where it is known.
        known: whether the first answer is the right one among several that are offered.
    """

    name: str
    question: str
    answers: tuple[str, ...]
    known: bool


def make_item(record: Mapping[str, object], number: int, fields: ItemFields) -> Item:
    """Return the item of one record.

    Raises:
        BadInputError: no question under any known or given name, or one that is not text; more than 64 answers.
    """
    question = _question(record, fields)
    answers, known = _answers(record, fields)
    if len(answers) > _MOST_ANSWERS:
        raise BadInputError(f"expected at most {_MOST_ANSWERS} answers, found {len(answers)}", "too_many_answers")
    own = next((record[name] for name in _NAME_FIELDS if isinstance(record.get(name), str | int)), number)
    return Item(name=str(own)[:_MOST_NAME], question=question, answers=tuple(answers), known=known)


def _question(record: Mapping[str, object], fields: ItemFields) -> str:
    names = fields.question or tuple(name for name in QUESTION_FIELDS if isinstance(record.get(name), str))[:1]
    parts = [record.get(name) for name in names]
    if not parts or not all(isinstance(part, str) for part in parts):
        wanted = " and ".join(fields.question) or " or ".join(QUESTION_FIELDS)
        raise BadInputError(
            f"expected a text in {wanted}, found the fields {', '.join(sorted(map(repr, record)))[:300]}; "
            "name the question's field with --question",
            "no_question",
        )
    return "\n".join(str(part) for part in parts)


def _answers(record: Mapping[str, object], fields: ItemFields) -> tuple[list[str], bool]:
    """Return the answers and whether the first is known to be the right one of several choices."""
    if fields.answer:
        return _distinct(text for name in fields.answer for text in _texts(record.get(name))), False
    choices: Sequence[str] = next(
        (found for name in _CHOICE_FIELDS if len(found := list(_texts(record.get(name)))) > 1), ()
    )
    right = _chosen(record.get("answer"), choices)
    if right is not None:
        return _distinct([choices[right], *choices]), True
    own = [text for name in ANSWER_FIELDS if name not in _CHOICE_FIELDS for text in _texts(record.get(name))]
    return _distinct([*own, *choices]), False


def _chosen(answer: object, choices: Sequence[str]) -> int | None:
    """Return which choice an answer such as 1, "B" or the choice's own text names."""
    if isinstance(answer, bool) or not choices:
        return None
    if isinstance(answer, int):
        return answer if 0 <= answer < len(choices) else None
    if isinstance(answer, str):
        if answer in choices:
            return choices.index(answer)
        place = ord(answer) - ord("A") if len(answer) == 1 else -1
        return place if 0 <= place < len(choices) else None
    return None


def _texts(value: object) -> Iterator[str]:
    """Yield the strings and numbers of a field: itself, or those of a list or of a table with a list of texts."""
    if isinstance(value, Mapping):
        value = value.get("text")
    for each in value if isinstance(value, list) else [value]:
        if isinstance(each, str) and each:
            yield each
        elif isinstance(each, int | float) and not isinstance(each, bool):
            yield str(each)


def _distinct(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(texts))
