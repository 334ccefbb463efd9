"""One fragment under several rule sets: who passes, from narrow columns read side by side, and the sums that leave the fragment.

Where a fragment was decided by the rules that are the base of the question, its recorded reasons answer for every rule that no change
touches, and only the changed conditions are evaluated. Elsewhere all of them are. A fragment costs some 100 bytes a row while it is looked at.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from headwater.arrays import Bools, Int64s
from headwater.errors import CorruptLakeError
from headwater.filters.rules.predicates import predicate_connection
from headwater.filters.rules.rule_set import RULE_COLUMNS, RuleSet, reason_conditions
from headwater.filters.urls.columns import host_columns
from headwater.pipelines.recipe.job import Recipe
from headwater.pipelines.recipe.stages import HOST_COLUMNS
from headwater.pipelines.what_if.stages import eligible_sql, selection_columns
from headwater.warehouse.columns import family_columns
from headwater.warehouse.fragments import first_id
from headwater.warehouse.parquet import FragmentFiles, read_aligned, read_sparse

__all__ = [
    "MISSING",
    "NONE",
    "Conditions",
    "Fragment",
    "Question",
    "Weights",
    "eligible_stages",
    "held_stages",
    "index_names",
    "make_question",
    "name_reasons",
    "read_fragment",
    "who_passes",
]

NONE: Final = "(none)"
"""Key of samples without a source, or that no stage holds or would take."""
MISSING: Final = {"language": "und", "source": NONE}
"""Dimension that is a column → key of samples without a value."""
_DICTIONARIES: Final = ("language", "source", "domain", "rule_set", "reasons.list.element")
Conditions: TypeAlias = Mapping[str, str]
_THREAD: Final = threading.local()


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """What is asked of every fragment.

    Attributes:
        rule_set: fingerprint of the rules as they are; scenarios are compared with them.
        base: their reason → SQL condition.
        scenarios: the same of the rules as they might be.
        changed: the reasons whose condition is not the base's in some scenario.
        build: the build whose stages hold samples; None: stages by eligibility.
        named: whether samples are named as examples.
    """

    table_uri: str
    recipe: Recipe
    rule_set: str
    base: Conditions
    scenarios: tuple[Conditions, ...]
    changed: tuple[str, ...]
    build: str | None
    named: bool


def make_question(
    table_uri: str, recipe: Recipe, base: RuleSet, scenarios: Sequence[RuleSet], build: str | None, *, named: bool
) -> Question:
    """Return the question of what the scenarios would change."""
    now = reason_conditions(base)
    then = tuple(reason_conditions(rules) for rules in scenarios)
    names = dict.fromkeys(name for found in (now, *then) for name in found)
    return Question(
        table_uri=table_uri,
        recipe=recipe,
        rule_set=base.fingerprint,
        base=now,
        scenarios=then,
        changed=tuple(name for name in names if any(found.get(name) != now.get(name) for found in then)),
        build=build,
        named=named,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Weights:
    """Columns that sums are made of: distinct names with an index a row, and weights.

    Attributes:
        keys: dimension (``language``, ``source``) → (names, int64 [n]).
        text_bytes: int64 [n].
        tokens: int64 [n], without end of text.
    """

    keys: Mapping[str, tuple[list[str], Int64s]]
    text_bytes: Int64s
    tokens: Int64s


@dataclass(frozen=True, kw_only=True, slots=True)
class Fragment:
    """A fragment's rows.

    Attributes:
        table: the columns read, without chunks where it matters.
        recorded: decided by the base rules.
        kept: recorded verdict, bool [n].
        duplicate: rejected as a duplicate and by no rule, bool [n].
        clustered: in a cluster of duplicates, bool [n].
    """

    where: FragmentFiles
    table: pa.Table
    rows: Weights
    recorded: bool
    kept: Bools
    duplicate: Bools
    clustered: Bools


def _columns_in(conditions: Sequence[str], own: Sequence[str]) -> list[str]:
    """Return the columns of rules, a team's own scores among them, that occur in some SQL."""
    words = dict.fromkeys(word for condition in conditions for word in re.findall(r"[a-z_][a-z0-9_]*", condition))
    return [word for word in words if word in RULE_COLUMNS or word in own]


def _columns(question: Question, *, recorded: bool) -> dict[str, list[str]]:
    """Return family → columns that the question reads."""
    asked = [
        condition
        for found in (question.base, *question.scenarios)
        for name, condition in found.items()
        if not recorded or name in question.changed
    ]
    own = question.recipe.own_scores
    selecting = [name for name in selection_columns(question.recipe) if name not in HOST_COLUMNS]
    columns = family_columns([*_columns_in(asked, own), *selecting], own)
    wanted: dict[str, Sequence[str]] = {
        "verdicts": ["kept", "reasons", "rule_set", "duplicate_of"],
        "language": ["language"],
        "tokens": ["n_tokens"],
        "duplicates": ["cluster_id"],
        "scores": ["quality"],
        "content": ["source", "text_bytes", "content_hash", "origin"],
    }
    if question.recipe.reads_hosts:
        wanted["content"] = [*wanted["content"], "uri"]
    for family, names in wanted.items():
        columns[family] = list(dict.fromkeys([*columns.get(family, []), *names]))
    return columns


def read_fragment(question: Question, where: FragmentFiles) -> Fragment:
    """Return a fragment's rows with what the question reads.

    Raises:
        CorruptLakeError: the rows of two families are out of step.
    """
    table = _read(question, where, _columns(question, recorded=True))
    recorded = pc.unique(table["rule_set"]).to_pylist() in ([question.rule_set], [])
    if not recorded:
        table = _read(question, where, _columns(question, recorded=False))
    rows = Weights(
        keys={dimension: index_names(table[dimension], missing) for dimension, missing in MISSING.items()},
        text_bytes=table["text_bytes"].to_numpy(),
        tokens=pc.fill_null(table["n_tokens"], 0).to_numpy(),
    )
    return Fragment(
        where=where,
        table=table,
        rows=rows,
        recorded=recorded,
        kept=_flags(table["kept"]),
        duplicate=_flags(pc.is_valid(table["duplicate_of"])),
        clustered=_flags(pc.is_valid(table["cluster_id"])),
    )


def _read(question: Question, where: FragmentFiles, columns: Mapping[str, Sequence[str]]) -> pa.Table:
    # Content comes in many row groups and is read by itself, so that the other families are not cut to its pieces.
    narrow = {family: names for family, names in columns.items() if family != "content"}
    table = pa.concat_tables(read_aligned(question.table_uri, where, narrow, _DICTIONARIES))
    content = pa.concat_tables(read_aligned(question.table_uri, where, {"content": columns["content"]}, _DICTIONARIES))
    if content.num_rows != table.num_rows:
        raise CorruptLakeError(
            f"families of fragment {where.fragment} are out of step: expected {content.num_rows} rows as in its content, "
            f"found {table.num_rows}; run verify, then run the step of this family again"
        )
    for name in columns["content"]:
        table = table.append_column(content.schema.field(name), content[name])
    if question.recipe.reads_hosts:
        by_url = host_columns(table["uri"])
        for name in HOST_COLUMNS:
            table = table.append_column(name, by_url[name])
    return table.unify_dictionaries().combine_chunks()


def _flags(column: pa.Array | pa.ChunkedArray) -> Bools:
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    flags: Bools = pc.fill_null(array, False).to_numpy(zero_copy_only=False)
    return flags


def index_names(column: pa.Array | pa.ChunkedArray, missing: str) -> tuple[list[str], Int64s]:
    """Return distinct names and each row's index into them; nulls become ``missing``."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if not pa.types.is_dictionary(array.type):
        array = array.dictionary_encode()
    names = [missing if name is None else name for name in array.dictionary.to_pylist()]
    index: Int64s = pc.fill_null(array.indices, len(names)).to_numpy(zero_copy_only=False).astype(np.int64)
    return [*names, missing], index


def _connection() -> duckdb.DuckDBPyConnection:
    """Return this thread's connection: opening one takes some milliseconds, and a fragment asks several times."""
    if not hasattr(_THREAD, "connection"):
        _THREAD.connection = predicate_connection()
    connection: duckdb.DuckDBPyConnection = _THREAD.connection
    return connection


def _look(table: pa.Table, expressions: Sequence[str], own: Sequence[str]) -> list[pa.Array]:
    """Return SQL expressions over the rows of a table, in its order."""
    if not expressions:
        return []
    names = [name for name in table.column_names if name in RULE_COLUMNS or name in own]
    listed = ", ".join(f"{expression} AS c{number}" for number, expression in enumerate(expressions))
    connection = _connection()
    connection.register("samples", table.select(names or ["sample_id"]))
    found = connection.execute(f"SELECT {listed} FROM samples").to_arrow_table()
    connection.unregister("samples")
    return [column.combine_chunks() for column in found.columns]


def who_passes(question: Question, fragment: Fragment) -> tuple[Bools, Bools, list[pa.Array]]:
    """Return who passes the rules.

    Returns:
        As recorded when it was decided; under the base rules; and for each scenario who fails, as Arrow booleans: one bit a row.
    """
    then = fragment.kept | fragment.duplicate
    if fragment.recorded:
        names: Sequence[str] | None = question.changed
        other = _fails_another(fragment.table["reasons"], set(question.changed)) & ~fragment.duplicate
        base = then
    else:
        names = None
        other = np.zeros(len(then), bool)
        base = ~_flags(_look(fragment.table, [_any(question.base, None)], question.recipe.own_scores)[0])
    found = _look(
        fragment.table, [_any(conditions, names) for conditions in question.scenarios], question.recipe.own_scores
    )
    if other.any():
        blocked = pa.array(other)
        found = [pc.or_(fails, blocked) for fails in found]
    return then, base, found


def _any(conditions: Conditions, names: Sequence[str] | None) -> str:
    """Return the SQL condition that a sample has one of some reasons."""
    held = [f"({holds})" for name, holds in conditions.items() if names is None or name in names]
    return f"({' OR '.join(held)})" if held else "FALSE"


def _fails_another(reasons: pa.ChunkedArray, changed: set[str]) -> Bools:
    """Return which rows have a reason that is none of ``changed``."""
    lists = reasons.combine_chunks() if isinstance(reasons, pa.ChunkedArray) else reasons
    n = len(lists)
    offsets = lists.offsets.to_numpy().astype(np.int64)
    values = lists.values
    if not pa.types.is_dictionary(values.type):
        values = values.dictionary_encode()
    other = np.array([name not in changed for name in values.dictionary.to_pylist()] or [False])
    indices = values.indices.to_numpy(zero_copy_only=False)[offsets[0] : offsets[-1]]
    rows = np.repeat(np.arange(n), np.diff(offsets))
    found = np.zeros(n, bool)
    found[rows[other[indices]]] = True
    return found


def name_reasons(question: Question, table: pa.Table, conditions: Conditions) -> list[str]:
    """Return for each row the names of the changed conditions that hold, joined by commas."""
    cases = [f"CASE WHEN {conditions[name]} THEN '{name}' END" for name in question.changed if name in conditions]
    if not cases:
        return [""] * table.num_rows
    (found,) = _look(table, [f"concat_ws(', ', {', '.join(cases)})"], question.recipe.own_scores)
    return [str(value) for value in found.to_pylist()]


def held_stages(question: Question, fragment: Fragment) -> tuple[list[str], Int64s, Int64s]:
    """Return the stages that hold samples of a build: names, and pairs (row of the fragment, index into names) by row."""
    where = fragment.where
    if question.build is None or "stages" not in where.files:
        return [], np.empty(0, np.int64), np.empty(0, np.int64)
    found = read_sparse(question.table_uri, where, "stages", ["stage"], ["stage"])
    found = found.filter(pc.is_valid(found["stage"]))
    names, index = index_names(found["stage"], NONE)
    # An address is the fragment's number and the row's: rows of a fragment are numbered from 0 without gaps.
    return names, found["sample_id"].to_numpy() - first_id(where.fragment), index


def eligible_stages(question: Question, table: pa.Table) -> tuple[list[str], Int64s]:
    """Return the stage that would take each sample first, in the order in which stages choose, whatever their budgets."""
    (found,) = _look(table, [eligible_sql(question.recipe)], question.recipe.own_scores)
    return index_names(found, NONE)
