"""Rules: each limit from inside, at it and from outside; missing signals; every language and domain that a rule treats apart."""

from __future__ import annotations

import math
import operator
import re
import tomllib
from functools import cache
from importlib.resources import files
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.errors import RecipeError, UsageError
from headwater.filters.rules.predicates import predicate_connection
from headwater.filters.rules.rule_set import (
    RULE_COLUMNS,
    RuleSet,
    change_rules,
    evaluate,
    load_rules,
    reason_conditions,
    reasons_sql,
    rule_set_names,
)
from headwater.filters.scores.names import DOMAINS
from headwater.filters.signals.columns import SIGNALS
from headwater.fingerprint import fingerprint

_TYPES = {
    "INTEGER": pa.int32(),
    "BIGINT": pa.int64(),
    "FLOAT": pa.float32(),
    "VARCHAR": pa.string(),
    "MAP(VARCHAR, INTEGER)": pa.map_(pa.string(), pa.int32()),
}
_SCHEMA = pa.schema([(name, _TYPES[kind]) for name, kind in RULE_COLUMNS.items()])

# Written out here a second time, from the publications: a limit that changes in a rule file must change here too.
_PUBLISHED: dict[str, list[tuple[str, str, str, float]]] = {
    "gopher": [
        ("gopher_min_words", "gopher_words", ">=", 50),
        ("gopher_max_words", "gopher_words", "<=", 100_000),
        ("gopher_min_mean_word_length", "gopher_mean_word_length", ">=", 3.0),
        ("gopher_max_mean_word_length", "gopher_mean_word_length", "<=", 10.0),
        ("gopher_max_hash_ratio", "gopher_hash_ratio", "<=", 0.1),
        ("gopher_max_ellipsis_ratio", "gopher_ellipsis_ratio", "<=", 0.1),
        ("gopher_max_bullet_lines", "gopher_bullet_lines_fraction", "<=", 0.9),
        ("gopher_max_ellipsis_lines", "gopher_ellipsis_lines_fraction", "<=", 0.3),
        ("gopher_min_alpha_words", "gopher_alpha_words_fraction", ">=", 0.8),
        ("gopher_min_stop_words", "gopher_stop_words", ">=", 2),
        ("gopher_max_dup_lines", "gopher_dup_lines_fraction", "<=", 0.3),
        ("gopher_max_dup_paragraphs", "gopher_dup_paragraphs_fraction", "<=", 0.3),
        ("gopher_max_dup_lines_chars", "gopher_dup_lines_chars_fraction", "<=", 0.2),
        ("gopher_max_dup_paragraphs_chars", "gopher_dup_paragraphs_chars_fraction", "<=", 0.2),
        ("gopher_max_top_2gram_chars", "gopher_top_2gram_chars_fraction", "<=", 0.2),
        ("gopher_max_top_3gram_chars", "gopher_top_3gram_chars_fraction", "<=", 0.18),
        ("gopher_max_top_4gram_chars", "gopher_top_4gram_chars_fraction", "<=", 0.16),
        ("gopher_max_dup_5gram_chars", "gopher_dup_5gram_chars_fraction", "<=", 0.15),
        ("gopher_max_dup_6gram_chars", "gopher_dup_6gram_chars_fraction", "<=", 0.14),
        ("gopher_max_dup_7gram_chars", "gopher_dup_7gram_chars_fraction", "<=", 0.13),
        ("gopher_max_dup_8gram_chars", "gopher_dup_8gram_chars_fraction", "<=", 0.12),
        ("gopher_max_dup_9gram_chars", "gopher_dup_9gram_chars_fraction", "<=", 0.11),
        ("gopher_max_dup_10gram_chars", "gopher_dup_10gram_chars_fraction", "<=", 0.1),
    ],
    "c4": [
        ("c4_min_sentences", "c4_sentences", ">=", 5),
        ("c4_no_lorem_ipsum", "c4_lorem_ipsum", "<=", 0),
        ("c4_no_curly_brackets", "c4_curly_brackets", "<=", 0),
        ("c4_max_longest_word", "c4_longest_word", "<=", 1000),
    ],
    "fineweb": [
        ("fineweb_min_language_score", "language_score", ">=", 0.65),
        ("fineweb_min_punct_lines", "fineweb_punct_lines_fraction", ">=", 0.12),
        ("fineweb_max_short_lines", "fineweb_short_lines_fraction", "<=", 0.67),
        ("fineweb_max_dup_chars", "fineweb_dup_chars_fraction", "<=", 0.1),
        ("fineweb_max_newlines_per_word", "fineweb_newlines_per_word", "<=", 0.3),
    ],
    "refinedweb": [
        ("refinedweb_min_language_score", "language_score", ">=", 0.65),
        ("refinedweb_max_removed_words", "refinedweb_removed_words_fraction", "<=", 0.05),
    ],
}
_RULES = [(name, *rule) for name, rules in _PUBLISHED.items() for rule in rules]
_DEFAULT_LEAVES_OUT = {rule[0] for rule in _PUBLISHED["refinedweb"]} | {"c4_no_curly_brackets"}
_ALL = [rule for rules in _PUBLISHED.values() for rule in rules if rule[0] not in _DEFAULT_LEAVES_OUT]
_ALL[1] = ("gopher_max_words", "gopher_words", "<=", 1_000_000)

# The default set: limits that are not those above, by language; FineWeb2's, checked at both ends of its table and in
# the middle.
_DEFAULT_LIMITS: dict[str, dict[str, float]] = {
    "fineweb_min_language_score": {"en": 0.65, "zh": 0.5, "bn": 0.5},
    "fineweb_min_punct_lines": {"zh": 0.106, "de": 0.0, "ru": 0.231, "fa": 0.2, "vi": 0.333, "th": 0.0, "bn": 0.125},
    "fineweb_max_newlines_per_word": {"en": 0.3, "zh": 0.178, "hi": 0.316, "vi": 0.086, "ko": 0.26, "bn": 0.171},
    "fineweb_max_short_lines": {"en": 0.67, "de": 1.0, "bn": 1.0},
    "gopher_max_dup_paragraphs": {"en": 0.3, "de": 1.0},
    "gopher_max_dup_paragraphs_chars": {"en": 0.2, "zh": 1.0},
    "gopher_min_mean_word_length": {
        "en": 3.0,
        "zh": 1.0,
        "de": 0.0,
        "fr": 2.0,
        "th": 2.0,
        "vi": 2.2,
        "ko": 1.5,
        "bn": 3.0,
    },
    "gopher_max_mean_word_length": {"en": 10.0, "zh": 5.0, "it": 21.0, "vi": 8.1, "ko": 9.0, "fa": 9.0, "bn": 24.0},
    "gopher_max_words": {"en": 1_000_000, "zh": 1_000_000},
    "gopher_min_alpha_words": {"en": 0.6, "zh": 0.6, "th": 0.6},
    "gopher_min_stop_words": {"en": 2, "th": 2, "mul": 0},
    "gopher_max_dup_lines": {"en": 0.3, "zh": 0.287, "ko": 0.374, "hi": 0.206, "fa": 0.246, "bn": 0.203},
    "gopher_max_top_2gram_chars": {"en": 0.2, "zh": 0.256, "pt": 0.371, "fa": 0.189, "bn": 0.177},
    "gopher_max_top_3gram_chars": {"en": 0.18, "zh": 0.201, "da": 0.297, "fa": 0.164, "bn": 0.158},
    "gopher_max_top_4gram_chars": {"en": 0.16, "zh": 0.171, "es": 0.125, "fa": 0.143, "bn": 0.147},
    "gopher_max_dup_5gram_chars": {"en": 0.15, "zh": 0.198, "de": 0.141, "bn": 0.118},
    "gopher_max_dup_6gram_chars": {"en": 0.14, "zh": 0.184, "bn": 0.108},
    "gopher_max_dup_10gram_chars": {"en": 0.1, "zh": 0.127, "ja": 0.159, "bn": 0.073},
    "c4_min_sentences": {"en": 3, "zh": 3, "th": 0},
    "c4_max_longest_word": {"en": 1000, "zh": 20_000, "ja": 20_000, "th": 20_000, "ko": 1000},
}
_DEFAULT = [(name, language, limit) for name, limits in _DEFAULT_LIMITS.items() for language, limit in limits.items()]
_HOLD_FOR_CODE = {"gopher_min_words", "gopher_max_words", "c4_no_lorem_ipsum", "c4_max_longest_word"}
_EXEMPT_FOR_VERSE = {"fineweb_max_short_lines", "fineweb_max_newlines_per_word"}
_EXEMPT_FOR_MATH = {
    "gopher_min_mean_word_length",
    "gopher_min_alpha_words",
    "gopher_min_stop_words",
    "gopher_max_dup_lines",
    "gopher_max_dup_lines_chars",
    "gopher_max_dup_paragraphs",
    "gopher_max_dup_paragraphs_chars",
    "c4_min_sentences",
    "fineweb_max_dup_chars",
    "fineweb_min_language_score",
    "fineweb_min_punct_lines",
    "fineweb_max_short_lines",
    "fineweb_max_newlines_per_word",
    *(f"gopher_max_top_{n}gram_chars" for n in (2, 3, 4)),
    *(f"gopher_max_dup_{n}gram_chars" for n in range(5, 11)),
}


@cache
def _rules(name: str) -> RuleSet:
    return load_rules([name])


def _row(**changes: Any) -> dict[str, Any]:
    """Return a sample that passes every rule of every set, changed."""
    row: dict[str, Any] = dict.fromkeys(RULE_COLUMNS, 0) | {"listed": {}}
    row |= {name: "web" for name, kind in RULE_COLUMNS.items() if kind == "VARCHAR"}
    row |= {"gopher_words": 500, "gopher_mean_word_length": 4.5, "gopher_alpha_words_fraction": 0.95}
    row |= {"gopher_stop_words": 8, "c4_sentences": 20, "fineweb_punct_lines_fraction": 0.5}
    row |= {"c4_lines": 10_000}  # more than newlines a token: the default set takes the smaller
    return row | {"language": "en", "language_score": 0.9, "script": "Latn"} | changes


def _reasons(rule_set: RuleSet, *rows: dict[str, Any]) -> list[list[str]]:
    table = pa.Table.from_pylist(list(rows), schema=_SCHEMA)
    found = evaluate(table, rule_set)
    reasons: list[list[str]] = found["reasons"].to_pylist()
    assert found["first_reason"].to_pylist() == [listed[0] if listed else None for listed in reasons]
    assert found.schema == pa.schema([("reasons", pa.list_(pa.string())), ("first_reason", pa.string())])
    return reasons


def _around(column: str, sign: str, limit: float) -> tuple[float, float, float]:
    """Return the stored values just inside, at and just outside a limit: the next float32 or the next integer."""
    inward = 1 if sign == ">=" else -1
    if RULE_COLUMNS[column] == "FLOAT":
        at = np.float32(limit)
        return (
            float(np.nextafter(at, np.float32(inward * 1e9))),
            float(at),
            float(np.nextafter(at, np.float32(-inward * 1e9))),
        )
    return limit + inward, limit, limit - inward


@pytest.mark.parametrize("rule_set, name, column, sign, limit", _RULES)
def test_published_limit(rule_set: str, name: str, column: str, sign: str, limit: float) -> None:
    """A sample just inside a published limit passes, exactly at it passes, just outside it has this reason and no other."""
    inside, at, outside = (_row(**{column: value}) for value in _around(column, sign, limit))
    assert _reasons(_rules(rule_set), inside, at, outside) == [[], [], [name]]


@pytest.mark.parametrize("name, language, limit", _DEFAULT)
def test_default_limit_by_language(name: str, language: str, limit: float) -> None:
    """The default set holds each language to its own limit."""
    column, sign = next((column, sign) for rule, column, sign, _ in _ALL if rule == name)
    rows = (_row(language=language, **{column: value}) for value in _around(column, sign, limit))
    found = [name in reasons for reasons in _reasons(_rules("default"), *rows)]
    assert found == [False, False, True]


def test_fineweb2_has_limits_for_29_languages() -> None:
    """The table of FineWeb2 is whole: every language but English, and no limit given for one that is none of ours."""
    listed = "zh es fr de pt it ru ja ko ar hi vi th id tr pl nl uk cs sv no da fi ro hu el he fa bn".split()
    changed = {rule.name: rule.limits[0].by_language for rule in _rules("fineweb2").rules if rule.limits[0].by_language}
    assert len(changed) == 16
    assert all(list(by_language) == listed for by_language in changed.values())


def test_fineweb2_leaves_rules_out() -> None:
    """FineWeb2's pipeline switches off C4, short lines, paragraphs and the characters of repeated lines."""
    off = {
        "gopher_max_dup_paragraphs",
        "gopher_max_dup_lines_chars",
        "gopher_max_dup_paragraphs_chars",
        "fineweb_max_short_lines",
    }
    published = {rule[0] for name in ("gopher", "fineweb") for rule in _PUBLISHED[name]}
    assert {rule.name for rule in _rules("fineweb2").rules} == published - off


_FINEWEB2 = [
    ("gopher_min_alpha_words", "de", 0.709),
    ("gopher_min_alpha_words", "zh", 0.739),
    ("gopher_max_dup_7gram_chars", "hi", 0.117),
    ("fineweb_min_language_score", "de", 0.9),
    ("fineweb_min_language_score", "id", 0.55),
    ("fineweb_min_language_score", "en", 0.65),
    ("fineweb_max_newlines_per_word", "ko", 0.26),
    ("gopher_max_mean_word_length", "ko", 9.0),
    ("gopher_min_words", "bn", 50),
]


@pytest.mark.parametrize("name, language, limit", _FINEWEB2)
def test_fineweb2_limit_by_language(name: str, language: str, limit: float) -> None:
    """The set `fineweb2` holds each language to its own limit, English to Gopher's and FineWeb's."""
    column, sign = next((column, sign) for _, rule, column, sign, _ in _RULES if rule == name)
    rows = (_row(language=language, **{column: value}) for value in _around(column, sign, limit))
    assert [name in reasons for reasons in _reasons(_rules("fineweb2"), *rows)] == [False, False, True]


def test_default_has_fineweb2_limits() -> None:
    """The default set takes the limits of FineWeb2 over, and none for a language that is none of ours."""
    listed = "zh es fr de pt it ru ja ko ar hi vi th id tr pl nl uk cs sv no da fi ro hu el he fa bn".split()
    limits = {rule.name: rule.limits[0].by_language for rule in _rules("default").rules if rule.limits}
    for name in ("fineweb_min_punct_lines", "fineweb_max_newlines_per_word", "gopher_max_dup_lines"):
        assert list(limits[name]) == listed
    assert {language for by_language in limits.values() for language in by_language} == {*listed, "en", "mul"}


@pytest.mark.parametrize("name, column, sign, limit", _ALL)
def test_default_exempts_domains(name: str, column: str, sign: str, limit: float) -> None:
    """A sample far outside a limit keeps the reason in prose, and elsewhere just where the rule still means something."""
    far = -1 if sign == ">=" else 2_000_000
    rows = (_row(domain=domain, **{column: far}) for domain in ("web", "code", "math", "lyrical"))
    found = [name in reasons for reasons in _reasons(_rules("default"), *rows)]
    assert found == [True, name in _HOLD_FOR_CODE, name not in _EXEMPT_FOR_MATH, name not in _EXEMPT_FOR_VERSE]


def test_default_wants_a_known_language() -> None:
    """Text of undetermined language is rejected, unless it is code."""
    rows = (_row(language="und", domain=domain) for domain in ("web", "math", "code"))
    assert _reasons(_rules("default"), *rows) == [["language_known"], [], []]


def test_default_keeps_long_mixed_documents() -> None:
    """A document of several languages is kept from 100 words on, and needs no stop words."""
    rows = (_row(language="mul", gopher_words=words, gopher_stop_words=0) for words in (101, 100, 99))
    assert _reasons(_rules("default"), *rows) == [[], [], ["mixed_min_words"]]


def test_default_weighs_braces() -> None:
    """Two braces in 100 words pass, one more does not, code and mathematics may have any number, empty text passes."""
    name = "c4_max_curly_brackets"
    rows = [_row(gopher_words=500, c4_curly_brackets=n) for n in (9, 10, 11)]
    rows += [_row(c4_curly_brackets=5000, domain=domain) for domain in ("code", "math")]
    rows += [_row(gopher_words=0, c4_curly_brackets=n) for n in (0, 1)]
    found = [name in reasons for reasons in _reasons(_rules("default"), *rows)]
    assert found == [False, False, True, False, False, False, True]


def test_default_counts_filled_lines_where_blank_ones_are_more() -> None:
    """The limit on newlines holds for the fewer of newlines a token and filled lines a word."""
    name = "fineweb_max_newlines_per_word"
    rows = [_row(fineweb_newlines_per_word=9.0, gopher_words=500, c4_lines=n) for n in (149, 150, 151)]
    rows += [_row(fineweb_newlines_per_word=0.0, gopher_words=0, c4_lines=0)]
    assert [name in reasons for reasons in _reasons(_rules("default"), *rows)] == [False, False, True, False]


def test_default_holds_every_published_rule() -> None:
    """The default set has every rule of Gopher, C4 and FineWeb but the one brace, and its reasons come in their order."""
    own = ["c4_max_curly_brackets", "language_known", "mixed_min_words"]
    assert [rule.name for rule in _rules("default").rules] == [name for name, *_ in _ALL] + own


@pytest.mark.parametrize("rule_set", rule_set_names())
def test_good_text_passes(rule_set: str) -> None:
    """A sample within all limits is kept."""
    assert _reasons(_rules(rule_set), _row()) == [[]]


def test_empty_text() -> None:
    """Empty text, all of whose signals are 0, fails the rules that want something to be there, in the order of the rules."""
    empty = dict.fromkeys(RULE_COLUMNS, 0) | {
        "listed": {},
        "language": "und",
        "domain": "web",
        "script": "Zyyy",
        "source": "s",
    }
    assert _reasons(_rules("default"), empty) == [
        [
            "gopher_min_words",
            "gopher_min_mean_word_length",
            "gopher_min_alpha_words",
            "gopher_min_stop_words",
            "c4_min_sentences",
            "fineweb_min_language_score",
            "fineweb_min_punct_lines",
            "language_known",
        ]
    ]
    assert _reasons(_rules("none"), empty) == [[]]


@pytest.mark.parametrize(
    "column, value",
    [(column, None) for column in load_rules(["default"]).columns]
    + [(column, math.nan) for column in load_rules(["default"]).columns if RULE_COLUMNS[column] == "FLOAT"],
)
def test_missing_signal_is_a_reason(column: str, value: float | None) -> None:
    """NULL or NaN in a column gives its own reason, once, and rules that read it neither pass nor fail."""
    assert _reasons(_rules("default"), _row(**{column: value})) == [[f"missing:{column}"]]


def test_missing_everything() -> None:
    """A row without any signal is rejected for every column that the rules read."""
    rule_set = _rules("default")
    (reasons,) = _reasons(rule_set, dict.fromkeys(RULE_COLUMNS))
    assert sorted(reasons) == sorted(f"missing:{column}" for column in rule_set.columns)


def test_missing_signal_that_only_exempt_rules_read() -> None:
    """What no rule reads for a domain may be missing there; an unknown domain is exempt from nothing."""
    rule_set = _rules("default")
    rows = (_row(domain=domain, gopher_hash_ratio=None) for domain in ("code", "math", None))
    code, mathematics, unknown = _reasons(rule_set, *rows)
    assert code == []
    assert mathematics == ["missing:gopher_hash_ratio"]
    assert set(unknown) == {"missing:domain", "missing:gopher_hash_ratio"}


_OPERATORS = {">=": operator.ge, "<=": operator.le, "=": operator.eq, "<>": operator.ne}


_COMPOUND: dict[str, Any] = {
    "fineweb_max_newlines_per_word": lambda row, limit: (
        min(row["fineweb_newlines_per_word"], row["c4_lines"] / max(row["gopher_words"], 1)) <= limit
    ),
    "c4_max_curly_brackets": lambda row, limit: 100 * row["c4_curly_brackets"] <= limit * row["gopher_words"],
    "mixed_min_words": lambda row, limit: row["language"] != "mul" or row["gopher_words"] >= limit,
}


def _expected(rule_set: RuleSet, row: dict[str, Any]) -> list[str]:
    """The slow, obvious reference."""
    reasons: list[str] = []
    for rule in rule_set.rules:
        if row["domain"] is not None and row["domain"] in rule.exempt_domains:
            continue
        missing = [c for c in rule.columns if row[c] is None or (isinstance(row[c], float) and math.isnan(row[c]))]
        reasons += [f"missing:{column}" for column in missing if f"missing:{column}" not in reasons]
        if rule.name in _COMPOUND:
            bound = rule.limits[0].by_language.get(row["language"], rule.limits[0].default)
            bound = float(np.float32(bound)) if isinstance(bound, float) else bound
            if not missing and not _COMPOUND[rule.name](row, bound):
                reasons.append(rule.name)
            continue
        column, sign, value = rule.passes.split()
        if value == "{limit}":
            limit: Any = rule.limits[0].by_language.get(row["language"], rule.limits[0].default)
        else:
            limit = 0 if value == "0" else value.strip("'")
        if isinstance(limit, float):
            limit = float(np.float32(limit))
        if not missing and not _OPERATORS[sign](row[column], limit):
            reasons.append(rule.name)
    return reasons


def _values(kind: str) -> st.SearchStrategy[Any]:
    if kind == "FLOAT":
        return (
            st.floats(0, 1, width=32)
            | st.sampled_from([float(np.float32(x / 100)) for x in range(60)])
            | st.just(math.nan)
        )
    return st.sampled_from([0, 1, 2, 3, 5, 49, 50, 51, 999, 1000, 1001, 100_000, 100_001])


_ROWS = st.fixed_dictionaries(
    {
        name: st.none() | _values(kind)
        for name, kind in RULE_COLUMNS.items()
        if kind not in ("VARCHAR", "MAP(VARCHAR, INTEGER)")
    }
    | {"listed": st.just({})}
    | dict.fromkeys(["script", "source"], st.just("x"))
    | {
        "language": st.sampled_from(["en", "zh", "th", "de", "bn", "xx", "mul", "und", None]),
        "domain": st.sampled_from(["web", "code", "math", None]),
    }
)


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(st.lists(_ROWS, min_size=1, max_size=8))
def test_equals_the_slow_reference(rows: list[dict[str, Any]]) -> None:
    """Reasons, as a set with those for missing columns, are the reference's for any row."""
    rule_set = _rules("default")
    for found, row in zip(_reasons(rule_set, *rows), rows, strict=True):
        expected = _expected(rule_set, row)
        assert sorted(found) == sorted(expected)
        assert [reason for reason in found if ":" not in reason] == [reason for reason in expected if ":" not in reason]


def test_rows_keep_their_order() -> None:
    """A table of many chunks comes back row for row."""
    rows = [_row(gopher_words=number % 100) for number in range(20_000)]
    table = pa.Table.from_pylist(rows, schema=_SCHEMA)
    chunked = pa.concat_tables([table.slice(0, 7), table.slice(7, 9000), table.slice(9007)])
    found = evaluate(chunked, load_rules(["gopher"]))["first_reason"].to_pylist()
    assert found == [None if number % 100 >= 50 else "gopher_min_words" for number in range(20_000)]


def test_zero_rows() -> None:
    """A table without rows gives a table without rows."""
    assert _reasons(_rules("default")) == []
    assert _reasons(_rules("none")) == []


def test_a_table_that_lacks_a_column_is_an_error() -> None:
    """A column that is not there is a broken call, not a missing signal."""
    with pytest.raises(UsageError, match="gopher_words is not there"):
        evaluate(pa.table({"language": ["en"]}), RuleSet(rules=load_rules(["gopher"]).rules[:1]))


def test_limits_of_a_recipe() -> None:
    """A number holds for every language; a table changes the languages that it names and nothing else."""
    rows = [_row(language=language, fineweb_punct_lines_fraction=0.15) for language in ("en", "ru", "de")]
    wanted = "fineweb_min_punct_lines"
    assert _reasons(_rules("default"), *rows) == [[], [wanted], []]
    assert _reasons(load_rules(["default"], {wanted: 0.2}), *rows) == [[wanted]] * 3
    assert _reasons(load_rules(["default"], {wanted: {"ru": 0.1, "default": 0.2}}), *rows) == [[wanted], [], []]
    assert _reasons(load_rules(["default"], {wanted: 0}), *rows) == [[], [], []]


def test_exemptions_of_a_recipe() -> None:
    """A recipe's domains replace the rule's own."""
    rule_set = load_rules(["default"], exempt={"c4_max_curly_brackets": ["lyrical"]})
    rows = [_row(domain=domain, c4_curly_brackets=300) for domain in ("lyrical", "code", "math")]
    assert _reasons(rule_set, *rows) == [[], ["c4_max_curly_brackets"], ["c4_max_curly_brackets"]]


def test_sets_one_after_the_other() -> None:
    """Reasons follow the order in which a recipe names its sets."""
    bad = _row(gopher_words=1, c4_sentences=0)
    assert _reasons(load_rules(["gopher", "c4"]), bad) == [["gopher_min_words", "c4_min_sentences"]]
    assert _reasons(load_rules(["c4", "gopher"]), bad) == [["c4_min_sentences", "gopher_min_words"]]


@pytest.mark.parametrize(
    "sets, limits, exempt, message",
    [
        (["defualt"], {}, {}, "unknown rule set 'defualt'; did you mean 'default'?"),
        (["gopher", "default"], {}, {}, "rule 'gopher_min_words' is in more than one of gopher, default"),
        (["gopher", "gopher"], {}, {}, "is in more than one"),
        (["gopher"], {"gopher_min_word": 3}, {}, "unknown limit 'gopher_min_word'; did you mean 'gopher_min_words'?"),
        (["c4"], {"gopher_min_words": 3}, {}, "rules.limits: unknown limit 'gopher_min_words'"),
        (["default"], {"language_known": 3}, {}, "unknown limit 'language_known'"),
        (
            ["gopher"],
            {"gopher_min_words": "50"},
            {},
            "rules.limits.gopher_min_words: expected a finite number, found '50'",
        ),
        (["gopher"], {"gopher_min_words": True}, {}, "expected a finite number, found True"),
        (["gopher"], {"gopher_min_words": math.nan}, {}, "expected a finite number, found nan"),
        (["gopher"], {"gopher_min_words": {"Default": 1}}, {}, "expected 'default' or the tag of a language"),
        (["gopher"], {"gopher_min_words": {"de' OR 1": 1}}, {}, "expected 'default' or the tag of a language"),
        (
            ["gopher"],
            {},
            {"gopher_minwords": ["code"]},
            "unknown rule 'gopher_minwords'; did you mean 'gopher_min_words'?",
        ),
        (["gopher"], {}, {"gopher_min_words": "code"}, "expected a list of domains"),
        (["gopher"], {}, {"gopher_min_words": ["co'de"]}, "unknown domain \"co'de\"; did you mean 'code'?"),
        (
            ["gopher"],
            {},
            {"gopher_min_words": ["code", "web"]},
            "rules.exempt.gopher_min_words: unknown domain 'web'; known: book, code",
        ),
        (["gopher"], {}, {"gopher_min_words": [7]}, "expected a list of domains"),
        (
            ["gopher"],
            {"gopher_min_words": {"xx": 1}},
            {},
            "limits.gopher_min_words: expected 'default' or the tag of a language",
        ),
        (["gopher"], {"gopher_min_words": {"EN": 1}}, {}, "found 'EN'; did you mean 'en'?"),
        (["gopher"], {"gopher_min_words": {"english": 1}}, {}, "found 'english'; did you mean 'en'?"),
        (["gopher"], {"gopher_min_words": {"zh-Hans": 1}}, {}, "found 'zh-Hans'; did you mean 'zh'?"),
        (["gopher"], {"gopher_min_words": 10**4000}, {}, "expected a number that a 32-bit float can hold"),
    ],
)
def test_wrong_settings(sets: list[str], limits: dict[str, Any], exempt: dict[str, Any], message: str) -> None:
    """What is unknown or no number is an error that names the place and the nearest known name."""
    with pytest.raises(RecipeError, match=re.escape(message)):
        load_rules(sets, limits, exempt)


def test_fingerprint_is_of_what_decides() -> None:
    """Limits, exemptions and order change the fingerprint; it is that of the literals' canonical JSON."""
    base = _rules("default")
    assert base.fingerprint == fingerprint(base.literals) == load_rules(["default"]).fingerprint
    others = [
        load_rules(["default"], {"gopher_min_words": 49}),
        load_rules(["default"], {"gopher_min_words": {"pt": 49}}),
        load_rules(["default"], exempt={"gopher_min_words": ["code"]}),
        load_rules(["gopher", "c4"]),
        load_rules(["c4", "gopher"]),
        _rules("none"),
        load_rules([]),
    ]
    assert len({rule_set.fingerprint for rule_set in [base, *others]}) == len(others)
    assert load_rules(["gopher"], {"gopher_max_hash_ratio": 1}) == load_rules(
        ["gopher"], {"gopher_max_hash_ratio": 1.0}
    )
    assert load_rules(["default"], {"gopher_min_words": 50}).fingerprint == base.fingerprint


@pytest.mark.parametrize("name", rule_set_names())
def test_rule_files_tell_their_sources(name: str) -> None:
    """Every shipped rule reads known columns and says what it wants and who published it."""
    domains = {domain for rule in load_rules([name]).rules for domain in rule.exempt_domains}
    assert domains <= set(DOMAINS)
    shipped = ["c4", "decontaminate", "default", "fineweb", "fineweb2", "gopher", "none", "refinedweb"]
    assert rule_set_names() == shipped
    for rule in load_rules([name]).rules:
        assert rule.source
        assert rule.description
        assert rule.columns
        assert set(rule.columns) <= set(RULE_COLUMNS)
    text = (files("headwater.filters") / "rule_sets" / f"{name}.toml").read_text("utf-8")
    assert tomllib.loads(text)["format"] == 1


def test_the_same_sql_for_what_if_questions() -> None:
    """The expression gives the same answer over a plain table of another DuckDB connection as inside a task."""
    rule_set = _rules("default")
    table = pa.Table.from_pylist([_row(), _row(gopher_words=3), _row(language_score=math.nan)], schema=_SCHEMA)
    with duckdb.connect() as connection:
        connection.register("signals", table)
        rows = connection.execute(f"SELECT {reasons_sql(rule_set)} FROM signals").fetchall()
    assert [row[0] for row in rows] == evaluate(table, rule_set)["reasons"].to_pylist()


def test_signals_that_no_rule_reads() -> None:
    """Published signals without a rule are listed here, so that a new signal is not forgotten."""
    unread = set(SIGNALS) - set(_rules("default").columns)
    assert {name for name in unread if not name.startswith(("hw_", "rpv2_", "refinedweb_"))} == {
        "c4_citation_marks",
        "c4_long_lines",
        "c4_policy_lines",
        "c4_removed_chars_fraction",
        "c4_removed_lines_fraction",
        "c4_short_lines_fraction",
        "c4_unterminated_lines_fraction",
    }


def test_rules_changed_after_loading() -> None:
    """Limits, exemptions and rules left out change a loaded set as a recipe would; an unknown name is an error."""
    loaded = load_rules(["default"], {"gopher_min_words": 40})
    changed = change_rules(loaded, {"gopher_min_words": {"de": 30}}, {"c4_max_curly_brackets": ["lyrical"]})
    wanted = load_rules(
        ["default"],
        {"gopher_min_words": {"default": 40, "de": 30}},
        {"c4_max_curly_brackets": ["lyrical"]},
    )
    assert changed.columns == wanted.columns
    assert change_rules(loaded, without=["gopher_min_words"]).rules == loaded.rules[1:]
    with pytest.raises(RecipeError, match="gopher_min_words"):
        change_rules(loaded, without=["gopher_min_word"])


def test_conditions_are_those_of_the_reasons() -> None:
    """A sample carries exactly the reasons whose condition holds, in their order."""
    rules = load_rules(["default"])
    conditions = reason_conditions(rules)
    assert list(conditions)[:2] == ["missing:gopher_words", "gopher_min_words"]
    assert [name for name in conditions if not name.startswith("missing:")] == [rule.name for rule in rules.rules]
    row = _row(gopher_words=3, c4_sentences=None)
    with predicate_connection() as connection:
        connection.register("samples", pa.Table.from_pylist([row], schema=_SCHEMA))
        listed = ", ".join(f'({holds}) AS "{name}"' for name, holds in conditions.items())
        found = connection.execute(f"SELECT {listed} FROM samples").to_arrow_table().to_pylist()[0]
    assert [name for name, holds in found.items() if holds] == _reasons(rules, row)[0]
    assert _reasons(rules, row)[0]
