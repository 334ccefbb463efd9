"""A recipe: the whole job in one TOML file, from what ingest refuses to the stages of training.

Its literals are its identity. Where a job runs (paths, cores, the cluster) is no part of it, so the same recipe on the
same documents gives the same shards anywhere. A key that no section knows is an error that names the nearest known one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, Final, TypeVar

from headwater.errors import RecipeError, UsageError, one_line
from headwater.filters.rules.predicates import check_predicate, nearest, opened_once
from headwater.filters.rules.rule_set import RuleSet
from headwater.filters.scores.names import SCORE_COLUMNS, SCORES
from headwater.fingerprint import fingerprint
from headwater.lineage.blocklists import file_digest
from headwater.pipelines.recipe.blocklists import BlockListSettings
from headwater.pipelines.recipe.checks import check_format, check_name
from headwater.pipelines.recipe.extractors import DEFAULT_EXTRACTORS, Extractor, ExtractSettings, check_extractors
from headwater.pipelines.recipe.lineage_settings import LineageSettings
from headwater.pipelines.recipe.score_settings import ScoreSettings
from headwater.pipelines.recipe.sections import (
    BuildSettings,
    ContaminationSettings,
    DeduplicateSettings,
    IngestSettings,
    LanguageSettings,
    RuleSettings,
    SpanSettings,
    VocabularySettings,
)
from headwater.pipelines.recipe.stages import HOST_COLUMNS, SELECTION_COLUMNS, Pool, Stage
from headwater.pipelines.recipe.storage_settings import StorageSettings
from headwater.plain import JsonObject, ValuesByName
from headwater.untrusted import parse_toml, read_bounded

__all__ = [
    "FORMAT",
    "Recipe",
    "check_keys",
    "load_recipe",
    "parse_recipe",
    "plain_literals",
    "read_section",
    "read_toml",
]

FORMAT: Final = 1
"""Version of the recipe file; readers accept exactly this one."""
_MOST_BYTES: Final = 1 << 20

_SECTIONS: Final[dict[str, type]] = {
    "ingest": IngestSettings,
    "extract": ExtractSettings,
    "language": LanguageSettings,
    "spans": SpanSettings,
    "contamination": ContaminationSettings,
    "deduplicate": DeduplicateSettings,
    "vocabulary": VocabularySettings,
    "rules": RuleSettings,
    "build": BuildSettings,
    "lineage": LineageSettings,
}
_Section = TypeVar("_Section")


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """A whole job. Mappings inside are not to be changed.

    Attributes:
        name: what the recipe is called.
        pools: in order; a sample belongs to the first whose ``where`` is true, and the last takes all others.
        stages: in the order of training.
        scores: the scores whose models the recipe names; every lake has the shipped ones.
        extractors: what reads web pages; the first is the one that ingest runs.
        blocklists: files of domains, URLs and words, each of which becomes a rule.
        lineage: who is told of runs; no part of the recipe's identity.
        storage: how stores are asked; no part of it either.
    """

    name: str
    pools: tuple[Pool, ...]
    stages: tuple[Stage, ...]
    scores: tuple[ScoreSettings, ...] = ()
    extractors: tuple[Extractor, ...] = DEFAULT_EXTRACTORS
    blocklists: tuple[BlockListSettings, ...] = ()
    ingest: IngestSettings = field(default_factory=IngestSettings)
    extract: ExtractSettings = field(default_factory=ExtractSettings)
    language: LanguageSettings = field(default_factory=LanguageSettings)
    spans: SpanSettings = field(default_factory=SpanSettings)
    contamination: ContaminationSettings = field(default_factory=ContaminationSettings)
    deduplicate: DeduplicateSettings = field(default_factory=DeduplicateSettings)
    vocabulary: VocabularySettings = field(default_factory=VocabularySettings)
    rules: RuleSettings = field(default_factory=RuleSettings)
    build: BuildSettings = field(default_factory=BuildSettings)
    lineage: LineageSettings = field(default_factory=LineageSettings)
    storage: StorageSettings = field(default_factory=StorageSettings)
    format: int = FORMAT

    def __post_init__(self) -> None:
        check_format(self.format, FORMAT)
        check_name("name", self.name)
        _check_distinct("scores", [score.name for score in self.scores])
        check_extractors(self.extractors, self.extract)
        _check_distinct("blocklists", [each.name for each in self.blocklists])
        if self.rules.own or self.blocklists:
            _ = self.rule_set  # what reads a score of the recipe is checked where that is known
        _check_pools(self.pools, self.selection_columns)
        _check_stages(
            self.stages, [pool.name for pool in self.pools], (*SCORES, *self.own_scores), self.selection_columns
        )
        if self.stages and self.build.shard_tokens < (longest := max(stage.context for stage in self.stages)):
            raise RecipeError(
                f"build: shard_tokens: expected at least the longest context, {longest}, found {self.build.shard_tokens}"
            )

    @property
    def literals(self) -> JsonObject:
        """Every setting but who is told of runs and how stores are asked, in the shape of the file: ``parse_recipe`` gives the same recipe back.

        Defaults are part of it, so that a setting left out and the same setting spelled out are one identity, and a
        default that a later version changes is another; those of sections that came later are left out, spelled out or not.
        """
        literals: JsonObject = plain_literals(self)
        del literals["lineage"], literals["storage"]
        if not self.scores:
            del literals["scores"]
        # Sections that came later are no part of the recipes that do without them: those keep the identity that they had.
        if self.extractors == DEFAULT_EXTRACTORS:
            del literals["extractors"]
        if self.extract == ExtractSettings():
            del literals["extract"]
        for key in ("web_statuses", "web_kinds", "web_metadata"):
            if getattr(self.ingest, key) == getattr(IngestSettings(), key):
                del literals["ingest"][key]
        literals["blocklists"] = [each.literals for each in self.blocklists]
        if not self.blocklists:
            del literals["blocklists"]
        if not self.rules.newest_capture:
            del literals["rules"]["newest_capture"]
        if not self.rules.own:
            del literals["rules"]["own"]
        return literals

    @property
    def fingerprint(self) -> str:
        """32 hexadecimal digits: ``fingerprint`` of ``literals``."""
        return fingerprint(self.literals)

    @property
    def own_scores(self) -> tuple[str, ...]:
        """The columns of a team's own in family ``scores``, sorted."""
        return tuple(sorted(score.name for score in self.scores if score.name not in SCORE_COLUMNS))

    @property
    def rule_set(self) -> RuleSet:
        """The rules, those of the recipe's own among them."""
        return self.rules.load(self.own_scores, [each.rule for each in self.blocklists])

    @property
    def rule_families(self) -> tuple[str, ...]:
        """Families that rules of this recipe read and that only such recipes fill."""
        return (*(["recaptures"] if self.rules.newest_capture else []), *(["blocklists"] if self.blocklists else []))

    @property
    def selection_columns(self) -> dict[str, str]:
        """Columns that ``where`` of a pool or a stage may read → DuckDB type."""
        return {**SELECTION_COLUMNS, **dict.fromkeys(self.own_scores, "INTEGER")}

    @property
    def reads_hosts(self) -> bool:
        """Whether a pool or a stage reads ``HOST_COLUMNS``."""
        conditions = " ".join([*(pool.where for pool in self.pools), *(stage.where for stage in self.stages)])
        return not set(HOST_COLUMNS).isdisjoint(re.findall(r"[a-z_]+", conditions.lower()))

    @property
    def choosing_order(self) -> tuple[Stage, ...]:
        """The stages in the order in which they choose."""
        return tuple(sorted(self.stages, key=lambda stage: stage.choose))

    @property
    def pool_sql(self) -> str:
        """An SQL expression over ``selection_columns``: the name of a sample's pool."""
        return "CASE" + "".join(f" WHEN ({pool.where}) THEN '{pool.name}'" for pool in self.pools) + " END"


def load_recipe(path: str | Path) -> Recipe:
    """Return the recipe in the TOML file ``path``.

    Raises:
        RecipeError: the file cannot be read or is no TOML; an unknown key, rule, column or pool (the nearest known one
            is named); a value out of range; quotas that do not sum to 1.
    """
    raw = read_toml(path)
    try:
        return parse_recipe(_with_digests(raw, Path(path).parent))
    except RecipeError as error:
        raise RecipeError(one_line(f"{path}: {error}")) from None


def read_toml(path: str | Path) -> JsonObject:
    """Return a parsed TOML file.

    Raises:
        RecipeError: the file cannot be read, is too large or is no TOML that a recipe could be.
    """
    try:
        return parse_toml(read_bounded(Path(path), _MOST_BYTES).decode())
    except OSError as error:
        raise RecipeError(f"{path}: expected a recipe, the file cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise RecipeError(one_line(f"{path}: expected TOML in UTF-8, found something else: {error}")) from None


def _with_digests(raw: JsonObject, folder: Path) -> JsonObject:
    """Return a recipe whose block lists have the paths of their files from the recipe's folder on, and a SHA-256 where it leaves that out."""
    if not isinstance(raw.get("blocklists"), list):
        return raw
    tables = []
    for number, table in enumerate(raw["blocklists"]):
        known = table
        if isinstance(table, Mapping) and isinstance(table.get("file"), str) and "\0" not in table["file"]:
            known = {**table, "file": str(folder / table["file"])}
            if "sha256" not in table:
                try:
                    known["sha256"] = file_digest(Path(known["file"]))
                except UsageError as error:
                    raise RecipeError(f"blocklists[{number}]: file: {error}") from None
        tables.append(known)
    return raw | {"blocklists": tables}


def parse_recipe(raw: ValuesByName) -> Recipe:
    """Return the recipe of a parsed file or of ``Recipe.literals``.

    Raises:
        RecipeError: as ``load_recipe``.
    """
    check_keys(Recipe, raw, "recipe")
    sections: dict[str, Any] = {  # Any: each section is of its own class
        name: read_section(kind, raw[name], name) for name, kind in _SECTIONS.items() if name in raw
    }
    pools = [read_section(Pool, item, f"pools[{number}]") for number, item in enumerate(_tables(raw, "pools"))]
    stages = _tables(raw, "stages")
    scores = _tables(raw, "scores") if raw.get("scores") else []
    blocklists = _tables(raw, "blocklists") if raw.get("blocklists") else []
    extractors = _tables(raw, "extractors") if "extractors" in raw else []
    named = tuple(read_section(Extractor, item, f"extractors[{number}]") for number, item in enumerate(extractors))
    if any("choose" in stage for stage in stages) and not all("choose" in stage for stage in stages):
        raise RecipeError(
            "stages: choose: expected it in every stage or in none (then stages choose in the file's order)"
        )
    numbered = [{"choose": number + 1, **stage} for number, stage in enumerate(stages)]
    return Recipe(
        format=raw["format"],
        name=raw["name"],
        pools=tuple(pools),
        scores=tuple(read_section(ScoreSettings, item, f"scores[{number}]") for number, item in enumerate(scores)),
        extractors=named or DEFAULT_EXTRACTORS,
        blocklists=tuple(
            read_section(BlockListSettings, item, f"blocklists[{number}]") for number, item in enumerate(blocklists)
        ),
        stages=tuple(read_section(Stage, item, f"stages[{number}]") for number, item in enumerate(numbered)),
        storage=StorageSettings.read(raw.get("storage", {})),
        **sections,
    )


def read_section(kind: type[_Section], raw: object, where: str) -> _Section:
    """Return a section of a recipe from its parsed table.

    Raises:
        RecipeError: no table, an unknown key (the nearest known one is named), a missing one, or what the section refuses.
    """
    if not isinstance(raw, Mapping):
        raise RecipeError(f"{where}: expected a table, found {raw!r}")
    named = f"{where} ({raw['name']})" if "[" in where and isinstance(raw.get("name"), str) else where
    check_keys(kind, raw, named)
    try:
        return kind(**{key: _frozen(value) for key, value in raw.items()})
    except RecipeError as error:
        told = str(error).startswith(f"{named}.")
        raise RecipeError(str(error) if told else f"{named}: {error}") from None


def check_keys(kind: type, raw: Mapping[str, object], where: str) -> None:
    """Raise RecipeError unless a table has only keys that its section knows, and those that it must have."""
    known = fields(kind)
    for key in raw:
        if key not in (names := [item.name for item in known]):
            raise RecipeError(f"{where}: unknown key {key!r}; {nearest(key, names)}")
    for item in known:
        required = (item.default is MISSING and item.default_factory is MISSING) or item.name == "format"
        if required and item.name not in raw:
            raise RecipeError(f"{where}: expected the key {item.name!r}, it is missing")


def _tables(raw: Mapping[str, object], key: str) -> list[Mapping[str, object]]:
    tables = raw[key]
    if not isinstance(tables, list) or not tables or not all(isinstance(item, Mapping) for item in tables):
        raise RecipeError(f"{key}: expected at least one table [[{key}]], found {tables!r}")
    return tables


def _frozen(value: object) -> object:
    if isinstance(value, list):
        return tuple(_frozen(item) for item in value)
    return {key: _frozen(item) for key, item in value.items()} if isinstance(value, Mapping) else value


def plain_literals(value: Any) -> Any:  # Any: a table of a section, a list of a tuple, else the value itself
    """Return dataclasses as tables without their keys that are None, tuples as lists."""
    if hasattr(value, "__dataclass_fields__"):
        table = {item.name: plain_literals(getattr(value, item.name)) for item in fields(value)}
        return {key: item for key, item in table.items() if item is not None}
    if isinstance(value, Mapping):
        return {key: plain_literals(item) for key, item in value.items()}
    return [plain_literals(item) for item in value] if isinstance(value, tuple) else value


def _check_pools(pools: tuple[Pool, ...], columns: Mapping[str, str]) -> None:
    _check_distinct("pools", [pool.name for pool in pools])
    if not pools or pools[-1].where.strip().upper() != "TRUE":
        raise RecipeError('pools: expected the last pool to take the rest with where = "TRUE"')
    with opened_once() as connection:
        for pool in pools:
            check_predicate(pool.where, columns, f"pools ({pool.name}): where", connection)


def _check_stages(
    stages: tuple[Stage, ...], pools: list[str], scores: tuple[str, ...], columns: Mapping[str, str]
) -> None:
    _check_distinct("stages", [stage.name for stage in stages])
    if len({stage.choose for stage in stages}) != len(stages):
        raise RecipeError(f"stages: choose: expected a different number in each, found {[s.choose for s in stages]}")
    for stage in stages:
        where = f"stages ({stage.name})"
        if stage.order_by not in scores:
            raise RecipeError(
                f"{where}: order_by: expected one of {', '.join(scores)}, found {stage.order_by!r}; {nearest(stage.order_by, scores)}"
            )
        check_predicate(stage.where, columns, f"{where}: where")
        for pool in stage.shares:
            if pool not in pools:
                raise RecipeError(f"{where}: shares: unknown pool {pool!r}; {nearest(pool, pools)}")
        for cell in stage.shortfall_to:
            if (pool := cell.partition("/")[0]) not in pools:
                raise RecipeError(f"{where}: shortfall_to: unknown pool {pool!r} in {cell!r}; {nearest(pool, pools)}")
        earlier = [other.name for other in stages if other.choose < stage.choose]
        for name in stage.repeat_from:
            if name not in earlier:
                raise RecipeError(
                    f"{where}: repeat_from: expected a stage that chooses earlier, found {name!r}; {nearest(name, earlier)}"
                )


def _check_distinct(where: str, names: list[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise RecipeError(f"{where}: the name {name!r} is given twice")
