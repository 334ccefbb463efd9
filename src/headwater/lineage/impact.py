"""What a set of samples reaches: tokens of builds by stage, language and shard, training steps, vocabularies and evaluation sets.

    impact("lake", [np.array([16777216])], near=0.9)

The set is held (8 bytes a sample); everything else is read once: of the fragments that hold samples the narrow families, of each build the
placements. Totals are those of the builds' manifests, so that the shares of all samples of a build add up to one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from headwater.arrays import Bools, Int64s
from headwater.errors import UsageError
from headwater.lineage.builds import builds_uri
from headwater.lineage.language_tokens import code_names, language_tokens
from headwater.lineage.near_samples import near_duplicates
from headwater.lineage.past_runs import require_build, runs_of
from headwater.lineage.placed_samples import PlacedSamples, placed_samples, stage_manifest
from headwater.lineage.sample_sets import SampleSet, in_threads
from headwater.lineage.training_order import TrainingOrder
from headwater.plain import JsonObject
from headwater.reader import open_stage
from headwater.warehouse.fragments import ROW_BITS
from headwater.warehouse.parquet import FragmentFiles, read_aligned, read_file
from headwater.warehouse.snapshot import Snapshot, open_snapshot

__all__ = ["impact", "stages_of_build"]

_KEPT: Final = "kept"
_UNDECIDED: Final = "undecided"
_ROW: Final = (1 << ROW_BITS) - 1
_MOST_ITEMS: Final = 20
"""Of an evaluation set, those of the largest overlap that are named."""


def impact(
    lake: str,
    samples: Iterable[Int64s],
    *,
    near: float | None = None,
    version: int | None = None,
    build: str | None = None,
    stage: str | None = None,
    order: TrainingOrder | None = None,
    of_builds: Mapping[str, Iterable[Int64s]] | None = None,
) -> JsonObject:
    """Return what a set of samples reaches; ``docs/how-to/impact.md`` has the answer's shape.

    Args:
        samples: their ids, int64, in batches of any size and order.
        near: count near-duplicates from this similarity on as well; None: the samples alone.
        version: of the table; by default the newest.
        build: only this build; by default all.
        stage: only this stage.
        order: how training took the sequences; None: no steps are told.
        of_builds: build → the samples to look for in it, where they are others than ``samples``.

    Raises:
        UsageError: no such build, stage or sample, or a similarity that is none.
    """
    snapshot = open_snapshot(lake, version)
    require_build(snapshot, build, stage)
    own = {name: SampleSet(ids) for name, ids in (of_builds or {}).items()}
    given = SampleSet([*samples, *(each.ids for each in own.values())])
    _check_known(snapshot, given)
    reached = _with_near(snapshot, given, near)
    names, codes, states = _states(snapshot, reached.samples)
    answer: JsonObject = {"lake": snapshot.lake, "version": snapshot.version}
    answer |= {"samples": len(reached.samples), "given": len(given)} | states
    answer["near"] = None if near is None else {"at_least": near, **reached.told()}
    builds = [build] if build is not None else sorted(set(snapshot.live("placements")["batch"].to_pylist()))
    answer["builds"] = []
    for each in builds:
        mine = _with_near(snapshot, own[each], near) if each in own else reached
        of_mine = codes[np.searchsorted(reached.samples.ids, mine.samples.ids)]
        row = _of_build(snapshot, each, stage, mine, (names, of_mine), order)
        if row["samples"] or build is not None:
            answer["builds"].append(row)
    answer["vocabularies"] = _vocabularies(snapshot, reached.samples)
    answer["evaluation_sets"] = _evaluation_sets(snapshot, reached.samples)
    return answer


@dataclass(frozen=True, slots=True)
class _Reached:
    """A set with its near-duplicates, which of it are such, and the least similarity among them."""

    samples: SampleSet
    is_near: Bools
    lowest: float | None = None

    def told(self) -> JsonObject:
        return {"samples": int(self.is_near.sum()), "lowest": self.lowest}


def _with_near(snapshot: Snapshot, given: SampleSet, near: float | None) -> _Reached:
    if near is None:
        return _Reached(given, np.zeros(len(given), np.bool_))
    others, similarity = near_duplicates(snapshot, given, near)
    found = SampleSet([given.ids, others])
    return _Reached(found, ~given.contains(found.ids), float(similarity.min()) if len(others) else None)


def _check_known(snapshot: Snapshot, samples: SampleSet) -> None:
    known = snapshot.covered("content")
    for fragment in np.setdiff1d(samples.fragments, known).tolist():
        sample = int(samples.ids[samples.within(fragment)][0])
        raise UsageError(f"expected a sample {sample}, found none in this version of the lake")


def _states(snapshot: Snapshot, samples: SampleSet) -> tuple[dict[str, int], Int64s, JsonObject]:
    """Return language → number, each sample's number, and how many samples have each language and verdict."""
    names: dict[str, int] = {}
    codes = np.zeros(len(samples), np.int64)
    states: dict[str, int] = {}
    located = snapshot.locate(samples.fragments, ["language", "verdicts"])
    for mine, table in in_threads(partial(_narrow_rows, snapshot, samples), located):
        codes[mine] = code_names(table["language"], names)
        for item in pc.value_counts(table["state"]).to_pylist():
            states[item["values"]] = states.get(item["values"], 0) + item["counts"]
    counts = np.bincount(codes, minlength=len(names)).tolist() if names else []
    by_language = [{"language": name, "samples": n} for name, n in zip(names, counts, strict=True)]
    answer: JsonObject = {"kept": states.pop(_KEPT, 0), "undecided": states.pop(_UNDECIDED, 0)}
    answer["rejected"] = _most_first([{"reason": reason, "samples": n} for reason, n in states.items()], "reason")
    return names, codes, answer | {"by_language": _most_first(by_language, "language")}


def _narrow_rows(snapshot: Snapshot, samples: SampleSet, where: FragmentFiles) -> tuple[slice, pa.Table]:
    """Return where the samples of a fragment stand in the set, and their language and state.

    Raises:
        UsageError: the fragment has no such sample.
    """
    mine = samples.within(where.fragment)
    wanted = {"language": ["language"], "verdicts": ["first_reason"]}
    columns = {family: names for family, names in wanted.items() if family in where.files} or {"content": []}
    table = pa.concat_tables(read_aligned(snapshot.uri, where, columns, ["language", "first_reason"]))
    rows = samples.ids[mine] & _ROW
    if rows[-1] >= table.num_rows:
        sample = int(samples.ids[mine][np.searchsorted(rows, table.num_rows)])
        raise UsageError(f"expected a sample {sample}, found none in this version of the lake")
    table = table.take(pa.array(rows))
    state = pa.chunked_array([pa.array([_UNDECIDED] * len(rows), pa.string())])
    if "verdicts" in columns:
        state = pc.fill_null(table["first_reason"].cast(pa.string()), _KEPT)
    language = table["language"] if "language" in columns else pa.chunked_array([pa.nulls(len(rows), pa.string())])
    return mine, pa.table({"language": language, "state": state})


def _most_first(rows: list[JsonObject], name: str) -> list[JsonObject]:
    return sorted(rows, key=lambda row: (-row["samples"], row[name]))


def stages_of_build(snapshot: Snapshot, build: str) -> dict[str, int]:
    """Return the stages of a build, by the recipe of its newest run: name → tokens that a document takes besides its own."""
    found = runs_of(snapshot, "build", build) or runs_of(snapshot, "select", build)
    return {
        stage["name"]: int(stage.get("beginning_of_text", False)) + int(stage.get("end_of_text", True))
        for stage in (found[-1].recipe["stages"] if found else ())
    }


def _of_build(
    snapshot: Snapshot,
    build: str,
    stage: str | None,
    reached: _Reached,
    languages: tuple[dict[str, int], Int64s],
    order: TrainingOrder | None,
) -> JsonObject:
    """Return what of a build is some samples': in all, and by stage, language and shard."""
    special = stages_of_build(snapshot, build)
    names = [name for name in special if stage in (None, name)]
    placed = [placed_samples(snapshot, build, name, reached.samples) for name in names]
    placed = [each for each in placed if each.shards]
    totals = language_tokens(snapshot, build, special) if placed else None
    seen = np.zeros(len(reached.samples), np.bool_)
    stages = []
    for each in placed:
        seen |= each.tokens > 0
        by_language = _languages_of(each, languages, None if totals is None else totals.get(each.stage, {}))
        stages.append(_of_stage(each, reached.is_near) | {"by_language": by_language} | _steps(snapshot, each, order))
    manifests = [stage_manifest(snapshot.lake, build, name) for name in names]
    whole = None if None in manifests else sum(manifest.tokens for manifest in manifests if manifest is not None)
    tokens = sum(row["tokens"] for row in stages)
    return {
        "build": build,
        "samples": int(seen.sum()),
        "tokens": tokens,
        "of": whole,
        "share": _share(tokens, whole),
        "stages": stages,
    }


def _of_stage(placed: PlacedSamples, is_near: Bools) -> JsonObject:
    manifest = placed.manifest
    by_number = {} if manifest is None else {shard.number: shard for shard in manifest.shards}
    shards = []
    for shard in placed.shards:
        of = by_number[shard.number].tokens if shard.number in by_number else None
        row = {"shard": shard.number, "samples": shard.samples, "sequences": len(shard.sequences)}
        shards.append(row | {"tokens": shard.tokens, "of": of, "share": _share(shard.tokens, of)})
    tokens = int(placed.tokens.sum())
    sequences = sum(len(shard.sequences) for shard in placed.shards)
    whole = (None, None, None) if manifest is None else (manifest.tokens, manifest.sequences, len(manifest.shards))
    return {
        "stage": placed.stage,
        "samples": int((placed.tokens > 0).sum()),
        "copies": int(placed.copies.sum()),
        "tokens": tokens,
        "of": whole[0],
        "share": _share(tokens, whole[0]),
        "near_tokens": int(placed.tokens[is_near].sum()),
        "sequences": {"touched": sequences, "of": whole[1], "share": _share(sequences, whole[1])},
        "shards": {"touched": len(shards), "of": whole[2], "share": _share(len(shards), whole[2])},
        "by_shard": shards,
    }


def _share(part: int, whole: int | None) -> float | None:
    return None if whole is None else part / whole if whole else 0.0


def _languages_of(
    placed: PlacedSamples, languages: tuple[dict[str, int], Int64s], totals: dict[str, int] | None
) -> list[JsonObject]:
    names, codes = languages
    rows: list[JsonObject] = []
    for name, code in names.items():
        mine = (codes == code) & (placed.tokens > 0)
        if mine.any():
            tokens = int(placed.tokens[mine].sum())
            of = None if totals is None else totals.get(name, 0)
            row: JsonObject = {"language": name, "samples": int(mine.sum()), "tokens": tokens}
            rows.append(row | {"of": of, "share": _share(tokens, of)})
    return sorted(rows, key=lambda row: (-row["tokens"], row["language"]))


def _steps(snapshot: Snapshot, placed: PlacedSamples, order: TrainingOrder | None) -> JsonObject:
    if order is None or placed.manifest is None:
        return {}
    opened = open_stage(builds_uri(snapshot.lake, placed.build, placed.stage))
    return {"steps": order.touched(opened, placed.stage_sequences(opened.manifest.shards))}


def _vocabularies(snapshot: Snapshot, samples: SampleSet) -> list[JsonObject]:
    """Return the vocabularies that some samples trained, and how much of their text was taken."""
    found: dict[str, list[int]] = {}
    files = snapshot.live("vocabularies").select(["path", "batch"]).to_pylist()
    for file in files:
        sums = found.setdefault(file["batch"], [0, 0, 0, 0])
        for table in read_file(snapshot.uri, file["path"], ["sample_id", "sampled_bytes"]):
            sampled = table["sampled_bytes"].to_numpy()
            rows, _ = samples.find(table["sample_id"].to_numpy())
            for at, value in enumerate((len(rows), sampled[rows].sum(), table.num_rows, sampled.sum())):
                sums[at] += int(value)
    return [
        {
            "vocabulary": name,
            "samples": n,
            "of": of,
            "sampled_bytes": taken,
            "of_bytes": whole,
            "share": _share(taken, whole),
        }
        for name, (n, taken, of, whole) in sorted(found.items())
        if n
    ]


def _evaluation_sets(snapshot: Snapshot, samples: SampleSet) -> list[JsonObject]:
    """Return the evaluation sets of which items were found in some samples, and the items."""
    touched: dict[str, set[int]] = {}
    items: dict[str, dict[str, float]] = {}
    for path in snapshot.paths("contamination"):
        for table in read_file(snapshot.uri, path, ["sample_id", "benchmark", "item", "overlap"]):
            rows, places = samples.find(table["sample_id"].to_numpy())
            for place, row in zip(places.tolist(), table.take(pa.array(rows)).to_pylist(), strict=True):
                touched.setdefault(row["benchmark"], set()).add(place)
                mine = items.setdefault(row["benchmark"], {})
                mine[row["item"]] = max(mine.get(row["item"], 0.0), row["overlap"])
    return [
        {
            "benchmark": name,
            "samples": len(touched[name]),
            "items": len(mine),
            "most_overlap": [{"item": item, "overlap": mine[item]} for item in _largest(mine)],
        }
        for name, mine in sorted(items.items())
    ]


def _largest(overlaps: dict[str, float]) -> list[str]:
    return sorted(overlaps, key=lambda item: (-overlaps[item], item))[:_MOST_ITEMS]
