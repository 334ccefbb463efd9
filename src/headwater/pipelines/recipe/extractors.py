"""The sections of a recipe that say which extractors read web pages, and whose text a sample has."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from headwater.errors import RecipeError
from headwater.filters.html.extractors import COMMENTS, FORMS, METHODS, ExtractorSettings
from headwater.filters.rules.predicates import check_choice, check_predicate
from headwater.pipelines.recipe.checks import check_flag, check_one_of, check_text

__all__ = ["CHOICE_COLUMNS", "DEFAULT_EXTRACTORS", "ExtractSettings", "Extractor", "check_extractors"]

CHOICE_COLUMNS: Final[dict[str, str]] = {
    "text_bytes": "BIGINT",
    "page_kind": "VARCHAR",
    "blocks_kept": "INTEGER",
    "blocks_left_out": "INTEGER",
    "bytes_left_out": "BIGINT",
    **dict.fromkeys(
        ["tables", "table_rows", "formulas", "code_blocks", "headings", "list_items", "posts"],
        "INTEGER",
    ),
}
"""Columns of family ``texts`` that ``choose`` may read of each extractor, ``main.table_rows`` → DuckDB type."""
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,62}")
_MOST: Final = 16
"""Most extractors of a recipe: each page is read by all of them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Extractor(ExtractorSettings):
    """An extractor as a recipe has it, checked."""

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(str(self.name)):
            raise RecipeError(f"name: expected a name of a-z, 0-9 and _ that starts with a letter, found {self.name!r}")
        check_one_of("method", self.method, METHODS)
        check_one_of("form", self.form, FORMS)
        check_one_of("comments", self.comments, COMMENTS)
        if self.method == "resiliparse" and self.form != "text":
            raise RecipeError(f'form: expected "text", the only one that resiliparse writes, found {self.form!r}')


@dataclass(frozen=True, kw_only=True, slots=True)
class ExtractSettings:
    """Whether pages are stored as they were served, and whose text a sample has.

    Attributes:
        store_html: whether family ``html`` holds what was served, so that another extractor reads it there and not in the web archive.
        choose: SQL that gives an extractor's name, over columns such as ``main.table_rows``; None for the first one's. Where it gives NULL, or one
            that found no text, the first extractor that found some is taken.
    """

    store_html: bool = False
    choose: str | None = None

    def __post_init__(self) -> None:
        check_flag("store_html", self.store_html)
        if self.choose is not None:
            check_text("choose", self.choose)


DEFAULT_EXTRACTORS: Final = (Extractor(name="main"),)
"""What a recipe has that names none."""


def check_extractors(extractors: Sequence[Extractor], extract: ExtractSettings) -> None:
    """Raise RecipeError unless extractors are told apart, and ``choose`` gives one of them on every row."""
    if not 1 <= len(extractors) <= _MOST:
        raise RecipeError(f"extractors: expected 1 to {_MOST} tables [[extractors]], found {len(extractors)}")
    names = [extractor.name for extractor in extractors]
    for number, extractor in enumerate(extractors):
        if extractor.name != DEFAULT_EXTRACTORS[0].name:
            _check_word(extractor.name, f"extractors[{number}] ({extractor.name}): name")
        if extractor.name in names[:number]:
            raise RecipeError(f"extractors: the name {extractor.name!r} is given twice")
        for other in extractors[:number]:
            if _settings(other) == _settings(extractor):
                raise RecipeError(
                    f"extractors: expected different settings, found {other.name!r} and {extractor.name!r} alike"
                )
    if extract.choose is not None:
        columns = {f"{name}.{column}": kind for name in names for column, kind in CHOICE_COLUMNS.items()}
        check_choice(extract.choose, columns, names, "extract: choose")


def _settings(extractor: Extractor) -> tuple[str, str, str]:
    return extractor.method, extractor.form, extractor.comments


def _check_word(name: str, where: str) -> None:
    """Raise RecipeError unless ``name`` can stand before a column in SQL without quoting."""
    column = f"{name}.text_bytes"
    try:
        check_predicate(f"{column} >= 0", {column: "BIGINT"}, where)
    except RecipeError:
        raise RecipeError(f"{where}: expected a name that is no word of SQL, found {name!r}; choose another") from None
