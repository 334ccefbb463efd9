"""Decided lakes made of rows of numbers, without text and without Spark, for tests of what-if questions."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any

import numpy as np
import pyarrow as pa

from headwater.filters.rules.rule_set import RULE_COLUMNS, RuleSet, evaluate
from headwater.fingerprint import canonical_json
from headwater.pipelines.recipe.job import Recipe, parse_recipe
from headwater.warehouse.commit import commit, create_lake
from headwater.warehouse.fragments import fragment_mask, sample_ids
from headwater.warehouse.parquet import write_family
from headwater.warehouse.schema import FAMILIES, arrow_schema

Row = dict[str, Any]
OPERATOR = "0123456789abcdef" * 2
BUILD = "made-up"
_TYPES = {
    "INTEGER": pa.int32(),
    "BIGINT": pa.int64(),
    "FLOAT": pa.float32(),
    "VARCHAR": pa.string(),
    "MAP(VARCHAR, INTEGER)": pa.map_(pa.string(), pa.int32()),
}
TYPES = pa.schema([(name, _TYPES[kind]) for name, kind in RULE_COLUMNS.items()])
"""Of the columns that rules may read."""
_FAMILIES = ("content", "language", "signals", "scores", "tokens", "duplicates", "verdicts")
_RECIPE = """
format = 1
name = "made-up"
[rules]
sets = ["default"]
limits = { gopher_min_words = { default = 50, de = 40 } }
[[pools]]
name = "reasoning"
where = "domain IN ('code', 'math')"
[[pools]]
name = "general"
where = "TRUE"
[[stages]]
name = "first"
choose = 2
budget = "50 %"
context = 64
order_by = "quality"
shares = { general = 1.0 }
[[stages]]
name = "second"
choose = 1
budget = "20 %"
context = 64
order_by = "quality"
where = "quality >= 30000"
shares = { general = 0.5, reasoning = 0.5 }
languages = { general = { en = 1.0 } }
"""


def recipe(**rules: Any) -> Recipe:
    """Return the recipe of the lakes, with other settings of rules."""
    raw = tomllib.loads(_RECIPE)
    return parse_recipe(raw | {"rules": raw["rules"] | rules})


def row(**changes: Any) -> Row:
    """Return a sample that passes every rule, changed; ``cluster`` numbers its cluster, None stands alone."""
    found: Row = dict.fromkeys(RULE_COLUMNS, 0) | {"listed": {}}
    found |= {"gopher_words": 500, "gopher_mean_word_length": 4.5, "gopher_alpha_words_fraction": 0.95}
    found |= {"gopher_stop_words": 8, "c4_sentences": 20, "fineweb_punct_lines_fraction": 0.5, "language_score": 0.9}
    found |= {
        "language": "en",
        "script": "Latn",
        "domain": "general",
        "source": "web",
        "text_bytes": 3000,
        "n_tokens": 700,
    }
    return found | {"quality": 40000, "cluster": None, "stages": []} | changes


def random_rows(seed: int, n: int) -> list[Row]:
    """Return samples near the limits of some rules; some values are missing, and a third stand in small clusters."""
    random = np.random.default_rng(seed)

    def pick(*values: Any) -> Any:
        return values[int(random.integers(len(values)))]

    rows = []
    for _ in range(n):
        words = int(random.integers(20, 90))
        rows.append(
            row(
                gopher_words=pick(words, words, words, words, words, None),
                gopher_stop_words=int(random.integers(1, 5)),
                fineweb_punct_lines_fraction=pick(0.1, 0.12, 0.13, 0.5, float("nan"), float(np.float32(0.1))),
                c4_curly_brackets=pick(0, 0, 0, 2),
                language=pick("en", "en", "de", "fr", None, "und"),
                domain=pick("general", "general", "code", "math"),
                source=pick("web", "books", None),
                quality=int(random.integers(0, 4)) * 20000,
                text_bytes=words * 6,
                n_tokens=pick(words, words, words, 0),
                cluster=pick(None, None, int(random.integers(n // 6 + 1))),
            )
        )
    return rows


def rules_pass(rows: Sequence[Row], rules: RuleSet) -> list[bool]:
    """Return who passes the rules, each evaluated anew."""
    table = pa.Table.from_pylist([{name: item[name] for name in RULE_COLUMNS} for item in rows], schema=TYPES)
    return [reason is None for reason in evaluate(table, rules)["first_reason"].to_pylist()]


def content_hash(number: int) -> bytes:
    """Return the content hash of a sample by its number in the order of ingest."""
    return blake2b(str(number).encode(), digest_size=16).digest()


def winners(rows: Sequence[Row], passes: Sequence[bool]) -> dict[int, int]:
    """Return each passing clustered sample → the one that wins its cluster: the best by quality, length and hash."""
    found: dict[int, list[int]] = {}
    for number, item in enumerate(rows):
        if item["cluster"] is not None and passes[number]:
            found.setdefault(item["cluster"], []).append(number)
    best = {
        cluster: min(members, key=lambda at: (-rows[at]["quality"], -rows[at]["text_bytes"], content_hash(at)))
        for cluster, members in found.items()
    }
    return {number: best[rows[number]["cluster"]] for members in found.values() for number in members}


def make_lake(
    lake: str, rows: Sequence[Row], decided_by: Recipe, *, fragments: int = 3, build: bool = True, verdicts: bool = True
) -> list[int]:
    """Write a decided lake and return the samples' ids in the order of ``rows``; with ``build``, their ``stages`` are a build's."""
    rules = decided_by.rules.load()
    passes = rules_pass(rows, rules)
    won = winners(rows, passes)
    snapshot = create_lake(lake)
    cuts = np.linspace(0, len(rows), fragments + 1).astype(int)
    ids = np.concatenate([sample_ids(at, 0, int(cuts[at + 1] - cuts[at])) for at in range(fragments)]).tolist()
    table = pa.Table.from_pylist([{name: item[name] for name in RULE_COLUMNS} for item in rows], schema=TYPES)
    reasons = evaluate(table, rules)["reasons"].to_pylist()
    full: list[Row] = []
    for number, item in enumerate(rows):
        loser = number in won and won[number] != number
        listed = ["near_duplicate"] if loser else reasons[number]
        full.append(
            item
            | {"sample_id": ids[number], "run_id": "run", "content_hash": content_hash(number), "origin": number}
            | {"uri": f"https://example.org/{number}", "rule_set": rules.fingerprint, "reasons": listed}
            | {"cluster_id": None if item["cluster"] is None else content_hash(10**6 + item["cluster"])}
            | {"kept": not listed, "first_reason": (listed or [None])[0]}
            | {"duplicate_of": ids[won[number]] if loser else None}
        )
    entries = []
    wanted = [family for family in (*_FAMILIES, *decided_by.rule_families) if verdicts or family != "verdicts"]
    for at in range(fragments):
        part = full[cuts[at] : cuts[at + 1]]
        entries += [
            write_family(snapshot.uri, family, "one", at, 1, OPERATOR, [family_table(family, part)])
            for family in wanted
        ]
    if build:
        chosen = [
            item | {"build": BUILD, "stage": stage, "copies": 1}
            for item in full
            for stage in item["stages"] or [None]
            if item["kept"]
        ]
        base, mask = fragment_mask(range(fragments))
        groups = [
            family_table("stages", [item for item in chosen if item["sample_id"] >> 24 == at])
            for at in range(fragments)
        ]
        entries.append(write_family(snapshot.uri, "stages", BUILD, base, mask, OPERATOR, groups))
        run = {
            "step": "select",
            "run_id": "run",
            "recipe": canonical_json(decided_by.literals),
            "ended": 0,
            "started": 0,
        }
        run |= {
            "operators": canonical_json({"stages": {"build": BUILD}}),
            "counts": "{}",
            "code_version": "",
            "input_version": 0,
        }
        entries.append(write_family(snapshot.uri, "runs", "runs", 0, 0, OPERATOR, [family_table("runs", [run])]))
    commit(snapshot, adds=entries, wave=("test", 1), lake=lake)
    return [int(number) for number in ids]


def family_table(family: str, rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Return rows as a family's table: what they say of its columns, null elsewhere."""
    schema = arrow_schema(family)
    known = [name for name in schema.names if name in FAMILIES[family].fields or name in ("sample_id", "run_id")]
    return pa.Table.from_pylist([{name: item.get(name) for name in known} for item in rows], schema=schema)
