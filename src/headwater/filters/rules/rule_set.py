"""Rules as data: which samples a recipe keeps, decided by SQL over signals and never by reading text.

A rule set is a TOML file in ``rule_sets/``. A rule names the predicate that a sample passes, the limits in it (one for
all languages and others for some), where it comes from, and the domains it does not apply to. One DuckDB query
evaluates all of them; the same SQL answers what-if questions on a laptop.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final

import duckdb
import pyarrow as pa

from headwater.errors import RecipeError, UsageError
from headwater.filters.rules.predicates import check_predicate, nearest, opened_once, predicate_connection
from headwater.filters.rules.rule import Limit, LimitSetting, Rule
from headwater.filters.scores.names import DOMAINS, SCORES
from headwater.filters.signals.columns import SIGNALS
from headwater.fingerprint import fingerprint
from headwater.plain import JsonObject, ValuesByName

__all__ = [
    "RULE_COLUMNS",
    "RuleSet",
    "change_rules",
    "evaluate",
    "load_rules",
    "reason_conditions",
    "reasons_sql",
    "rule_set_names",
]

FORMAT: Final = 1
"""Version of the rule files; readers accept exactly this one."""

RULE_COLUMNS: Final[dict[str, str]] = {
    **{name: "INTEGER" if kind == pa.int32() else "FLOAT" for name, kind in SIGNALS.items()},
    **dict.fromkeys(["language", "script", "domain", "source"], "VARCHAR"),
    "language_score": "FLOAT",
    **dict.fromkeys(SCORES, "INTEGER"),
    **dict.fromkeys(["text_bytes", "n_tokens"], "BIGINT"),
    **dict.fromkeys(["contamination_overlap", "contamination_answered"], "FLOAT"),
    "older_capture": "INTEGER",
    "listed": "MAP(VARCHAR, INTEGER)",
}
"""Columns that a rule may read → DuckDB type; scores are 0 to 65535, overlaps with evaluation items 0 to 1."""

_NAME: Final = re.compile(r"[a-z][a-z0-9_]*")
_RESULT: Final = pa.schema([("reasons", pa.list_(pa.string())), ("first_reason", pa.string())])


@dataclass(frozen=True, kw_only=True, slots=True)
class RuleSet:
    """Rules in the order in which their reasons are listed.

    Attributes:
        own_scores: a team's own scores, which they may read besides ``RULE_COLUMNS``.
    """

    rules: tuple[Rule, ...]
    own_scores: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the rules read, in order of first use."""
        return tuple(dict.fromkeys(column for rule in self.rules for column in rule.columns))

    @property
    def literals(self) -> JsonObject:
        """What decides: order, names, predicates, limits and exemptions. Sources and descriptions do not."""
        return {
            "format": FORMAT,
            "rules": [
                {
                    "name": rule.name,
                    "passes": rule.passes,
                    "limits": {limit.name: {"default": limit.default, **limit.by_language} for limit in rule.limits},
                    "exempt_domains": sorted(rule.exempt_domains),
                }
                for rule in self.rules
            ],
        }

    @property
    def fingerprint(self) -> str:
        """32 hexadecimal digits: BLAKE2b-128 of the canonical JSON of ``literals``."""
        return fingerprint(self.literals)


def rule_set_names() -> list[str]:
    """Return the names of the rule sets that the package ships, sorted."""
    return sorted(path.name.removesuffix(".toml") for path in _folder().iterdir() if path.name.endswith(".toml"))


def load_rules(
    sets: Sequence[str],
    limits: Mapping[str, LimitSetting] | None = None,
    exempt: Mapping[str, Sequence[str]] | None = None,
    own: Sequence[Mapping[str, object]] = (),
    own_scores: Sequence[str] = (),
    first: Sequence[ValuesByName] = (),
) -> RuleSet:
    """Return those that a recipe's settings make, the rules of ``sets`` one after the other, then a recipe's own.

    Args:
        sets: names of rule sets.
        limits: rule → a number for every language, or a table of languages and ``default`` that changes only these.
            ``rule.limit`` names one limit of a rule that has several.
        exempt: rule → the domains that it does not apply to, instead of its own.
        own: rules as a file of a set has them, though source and description may be missing.
        own_scores: a team's own scores, which rules may read.
        first: rules as a file of a set has them, which come before all others.

    Raises:
        RecipeError: an unknown set, rule or limit (the nearest known one is named), a rule that two sets bring, or one of its own that is none.
    """
    rules = {rule.name: rule for rule in (_parse_rule(item, "rules") for item in first)}
    for name in sets:
        for rule in _read_set(name):
            if rule.name in rules:
                raise RecipeError(
                    f"rules.sets: rule {rule.name!r} is in more than one of {', '.join(sets)}; leave one out"
                )
            rules[rule.name] = rule
    for number, raw in enumerate(own):
        rule = _own_rule(raw, f"rules.own[{number}]")
        if rule.name in rules:
            raise RecipeError(f"rules.own[{number}]: the rule {rule.name!r} is there already; choose another name")
        rules[rule.name] = rule
    _change(rules, limits or {}, exempt or {}, "rules")
    with opened_once() as connection:
        checked = tuple(_with_columns(rule, "rules", connection, own_scores) for rule in rules.values())
    return RuleSet(rules=checked, own_scores=tuple(own_scores))


def change_rules(
    rule_set: RuleSet,
    limits: Mapping[str, LimitSetting] | None = None,
    exempt: Mapping[str, Sequence[str]] | None = None,
    without: Sequence[str] = (),
) -> RuleSet:
    """Return the rules with other limits and exemptions, as ``load_rules`` takes them, and without some rules.

    Raises:
        RecipeError: an unknown rule or limit; the nearest known one is named.
    """
    rules = {rule.name: rule for rule in rule_set.rules}
    _change(rules, limits or {}, exempt or {}, "rules")
    for name in without:
        if rules.pop(name, None) is None:
            raise RecipeError(f"rules: unknown rule {name!r}; {nearest(name, rules)}")
    held = {id(rule) for rule in rule_set.rules}  # what did not change was checked before
    with opened_once() as connection:
        return RuleSet(
            rules=tuple(
                rule if id(rule) in held else _with_columns(rule, "rules", connection, rule_set.own_scores)
                for rule in rules.values()
            ),
            own_scores=rule_set.own_scores,
        )


def evaluate(table: pa.Table, rule_set: RuleSet) -> pa.Table:
    """Return one row for each row of ``table``, in its order: ``reasons`` list<string>, ``first_reason`` string.

    Every rule is evaluated; reasons stand in the order of the rules and the list is empty for a sample to keep. A NULL
    or NaN in a column that an applicable rule reads gives the reason ``missing:<column>``, once, in place of the rules
    that read it.

    Raises:
        UsageError: ``table`` lacks a column of ``rule_set.columns``.
    """
    if lacking := [name for name in rule_set.columns if name not in table.column_names]:
        raise UsageError(
            f"evaluate: expected a table with every column of the rules, {', '.join(lacking)} is not there"
        )
    if not rule_set.rules:
        empty = pa.array([[]] * table.num_rows, pa.list_(pa.string()))
        return pa.table([empty, pa.nulls(table.num_rows, pa.string())], schema=_RESULT)
    columns = table.select(list(rule_set.columns))
    floating = [field.name for field in columns.schema if pa.types.is_floating(field.type)]
    reasons = reasons_sql(rule_set, floating)
    with predicate_connection() as connection:
        connection.register("samples", columns)
        query = f"SELECT reasons, reasons[1] AS first_reason FROM (SELECT {reasons} AS reasons FROM samples)"
        return connection.execute(query).to_arrow_table().cast(_RESULT)


def reasons_sql(rule_set: RuleSet, floating: Sequence[str] | None = None) -> str:
    """Return the SQL expression of type VARCHAR[] that lists a sample's reasons.

    Args:
        rule_set: at least one rule.
        floating: the columns that may hold NaN; by default those that the schema stores as FLOAT.
    """
    cases = [f"CASE WHEN {holds} THEN '{name}' END" for name, holds in reason_conditions(rule_set, floating).items()]
    joined = ",\n".join(cases)
    # concat_ws leaves NULLs out; no name of a rule or column has a comma.
    return f"list_filter(string_split(concat_ws(',',\n{joined}), ','), lambda reason: reason != '')"


def reason_conditions(rule_set: RuleSet, floating: Sequence[str] | None = None) -> dict[str, str]:
    """Return reason → the SQL condition under which a sample carries it, in the order of the reasons.

    Args:
        rule_set: any rules; without one there is no reason.
        floating: as for ``reasons_sql``.
    """
    may_be_nan = [name for name, kind in RULE_COLUMNS.items() if kind == "FLOAT"] if floating is None else floating
    missing = {name: _missing(name, name in may_be_nan) for name in rule_set.columns}
    conditions = {}
    for rule in rule_set.rules:
        for column in [name for name in rule.columns if name in missing]:
            applies = _applies(_exempt_everywhere(rule_set, column))
            conditions[f"missing:{column}"] = f"{missing.pop(column)}{applies}"
        present = "".join(f" AND NOT {_missing(name, name in may_be_nan)}" for name in rule.columns)
        conditions[rule.name] = f"({rule.predicate()}) IS NOT TRUE{_applies(rule.exempt_domains)}{present}"
    return conditions


def _missing(column: str, may_be_nan: bool) -> str:
    return f"({column} IS NULL OR isnan({column}))" if may_be_nan else f"({column} IS NULL)"


def _applies(exempt_domains: Sequence[str]) -> str:
    """Return the condition that a sample's domain is not exempt; an unknown domain is not."""
    if not exempt_domains:
        return ""
    listed = ", ".join(f"'{domain}'" for domain in exempt_domains)
    return f" AND (domain IN ({listed})) IS NOT TRUE"


def _exempt_everywhere(rule_set: RuleSet, column: str) -> tuple[str, ...]:
    """Return the domains that every rule reading ``column`` exempts."""
    exempt = [set(rule.exempt_domains) for rule in rule_set.rules if column in rule.columns and column != "domain"]
    return tuple(sorted(set.intersection(*exempt))) if exempt else ()


def _folder() -> Traversable:
    return files("headwater.filters") / "rule_sets"


def _read_set(name: str) -> Iterator[Rule]:
    """Yield the rules of a shipped set: those that it includes, changed as it says, then its own."""
    if name not in rule_set_names():
        raise RecipeError(f"rules.sets: unknown rule set {name!r}; {nearest(name, rule_set_names())}")
    raw = tomllib.loads((_folder() / f"{name}.toml").read_text("utf-8"))
    where = f"rule set {name}"
    _known(raw, ["format", "name", "description", "include", "limits", "exempt", "rules"], where)
    if raw.get("format") != FORMAT or raw.get("name") != name:
        raise RecipeError(f"{where}: expected format = {FORMAT} and name = {name!r}")
    rules: dict[str, Rule] = {}
    for included in raw.get("include", []):
        _known(included, ["set", "without"], f"{where}.include")
        taken = {rule.name: rule for rule in _read_set(included["set"])}
        for left_out in included.get("without", []):
            if taken.pop(left_out, None) is None:
                raise RecipeError(f"{where}.include: unknown rule {left_out!r}; {nearest(left_out, taken)}")
        rules |= taken
    rules |= {rule.name: rule for rule in (_parse_rule(item, where) for item in raw.get("rules", []))}
    _change(rules, raw.get("limits", {}), raw.get("exempt", {}), where)
    yield from rules.values()


def _parse_rule(raw: ValuesByName, where: str) -> Rule:
    _known(raw, ["name", "passes", "limits", "source", "description", "exempt_domains"], where)
    name, passes = raw["name"], raw["passes"]
    if not _NAME.fullmatch(name):
        raise RecipeError(f"{where}: expected a name of a-z, 0-9 and _, found {name!r}")
    limits = []
    for key, setting in raw.get("limits", {}).items():
        start = setting["default"] if isinstance(setting, Mapping) else setting
        limits.append(Limit(name=key, default=start, by_language={}).changed(setting, f"{where}: {name}.limits.{key}"))
    if set(re.findall(r"\{(\w+)\}", passes)) != {limit.name for limit in limits}:
        raise RecipeError(f"{where}: {name}: the limits named in {passes!r} are not the limits that it lists")
    return Rule(
        name=name,
        passes=passes,
        limits=tuple(limits),
        source=raw["source"],
        description=raw["description"],
        exempt_domains=_domains(raw.get("exempt_domains", []), f"{where}: {name}"),
        columns=(),
    )


def _own_rule(raw: object, where: str) -> Rule:
    """Return a rule that a recipe brings, whatever stands in it checked."""
    if not isinstance(raw, Mapping):
        raise RecipeError(f"{where}: expected a table, found {raw!r}")
    for key in ("name", "passes"):
        if not isinstance(raw.get(key), str):
            raise RecipeError(f"{where}: expected a text for {key!r}, found {raw.get(key)!r}")
    limits = raw.get("limits", {})
    if not isinstance(limits, Mapping) or not all(isinstance(name, str) and _NAME.fullmatch(name) for name in limits):
        raise RecipeError(f"{where}: limits: expected a table of limits by names of a-z, 0-9 and _, found {limits!r}")
    if any(isinstance(each, Mapping) and "default" not in each for each in limits.values()):
        raise RecipeError(f"{where}: limits: expected a default beside those of languages, it is missing")
    return _parse_rule({"source": "the recipe", "description": "", **raw}, where)


def _with_columns(
    rule: Rule, where: str, connection: Callable[[], duckdb.DuckDBPyConnection], own_scores: Sequence[str] = ()
) -> Rule:
    """Return the rule with the columns that it reads, its predicate checked."""
    columns = {**RULE_COLUMNS, **dict.fromkeys(own_scores, "INTEGER")}
    read = [*check_predicate(rule.predicate(), columns, f"{where}: {rule.name}", connection)]
    if rule.exempt_domains:
        read.append("domain")
    return replace(rule, columns=tuple(dict.fromkeys(read)))


def _change(
    rules: dict[str, Rule], limits: Mapping[str, LimitSetting], exempt: Mapping[str, Sequence[str]], where: str
) -> None:
    """Replace limits and exemptions of ``rules`` in place."""
    named = {
        rule.name if limit.name == "limit" else f"{rule.name}.{limit.name}": (rule.name, limit.name)
        for rule in rules.values()
        for limit in rule.limits
    }
    for key, setting in limits.items():
        if key not in named:
            raise RecipeError(f"{where}.limits: unknown limit {key!r}; {nearest(key, named)}")
        name, changed = named[key]
        new = tuple(
            limit.changed(setting, f"{where}.limits.{key}") if limit.name == changed else limit
            for limit in rules[name].limits
        )
        rules[name] = replace(rules[name], limits=new)
    for name, domains in exempt.items():
        if name not in rules:
            raise RecipeError(f"{where}.exempt: unknown rule {name!r}; {nearest(name, rules)}")
        rules[name] = replace(rules[name], exempt_domains=_domains(domains, f"{where}.exempt.{name}"))


def _domains(domains: object, where: str) -> tuple[str, ...]:
    if not isinstance(domains, list | tuple) or not all(isinstance(item, str) for item in domains):
        raise RecipeError(f"{where}: expected a list of domains such as ['code', 'math'], found {domains!r}")
    for item in domains:
        if item not in DOMAINS:
            raise RecipeError(f"{where}: unknown domain {item!r}; {nearest(item, DOMAINS)}")
    return tuple(domains)


def _known(raw: Mapping[str, object], keys: Sequence[str], where: str) -> None:
    for key in raw:
        if key not in keys:
            raise RecipeError(f"{where}: unknown key {key!r}; {nearest(key, keys)}")
