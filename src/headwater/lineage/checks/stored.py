"""Verify, the part about what lies beside the table: vocabularies, score models, evaluation sets, and files of the versions that builds are of."""

from __future__ import annotations

import pyarrow.compute as pc

from headwater.errors import HeadwaterError, StoreError
from headwater.filters.scores.shipped import SHIPPED, shipped_scorer
from headwater.lineage.blocklists import has_list, list_faults
from headwater.lineage.builds import LakeView, read_stage_manifest
from headwater.lineage.checks.found import Found
from headwater.lineage.checks.stages import finished_stages
from headwater.lineage.evaluation_sets import list_benchmarks, load_benchmark
from headwater.lineage.past_runs import newest_ended, read_runs, runs_of
from headwater.lineage.score_models import lake_models, stored_faults
from headwater.lineage.vocabularies import lake_vocabularies, stored_vocabulary
from headwater.tokenize.forms.load import Vocabulary, load_vocabulary, shipped_vocabularies
from headwater.tokenize.names import DEFAULT_VOCABULARY
from headwater.warehouse.maintain import pinned_files
from headwater.warehouse.parquet import check_file

__all__ = ["block_lists", "evaluation_sets", "retained_files", "score_models", "vocabularies"]


def vocabularies(lake: LakeView) -> Found:
    """Every vocabulary of the lake is whole and has the fingerprint that its training and the builds with it recorded."""
    faults: list[str] = []
    there: dict[str, Vocabulary] = {}
    names = lake_vocabularies(lake.lake)
    for name in names:
        try:
            there[name] = stored_vocabulary(lake.lake, name)
        except StoreError:
            raise
        except HeadwaterError as error:
            faults.append(str(error))
    trained = [run.record("vocabulary", name) for run in read_runs(lake.snapshot) for name in _trained(run.operators)]
    wanted = {(str(record["vocabulary"]), str(record["fingerprint"])): "its training" for record in trained if record}
    for build, stage in finished_stages(lake):
        runs = runs_of(lake.snapshot, "build", build)
        named = str(runs[-1].recipe["vocabulary"]["name"]) if runs else DEFAULT_VOCABULARY
        try:
            manifest = read_stage_manifest(lake.lake, build, stage)
        except StoreError:
            raise
        except HeadwaterError:
            continue  # what is wrong with manifests is another check's
        wanted.setdefault((named, manifest.vocabulary), f"build {build}")
    for (name, fingerprint), by in sorted(wanted.items()):
        if name in names:
            if name in there and there[name].fingerprint != fingerprint:
                faults.append(
                    f"vocabulary {name}: expected fingerprint {fingerprint}, which {by} recorded, found {there[name].fingerprint}"
                )
        elif name in shipped_vocabularies():
            if load_vocabulary(name).fingerprint != fingerprint:
                faults.append(
                    f"vocabulary {name}: expected fingerprint {fingerprint}, which {by} recorded, found another"
                )
        elif by == "its training":
            faults.append(f"vocabulary {name} is gone from the lake")
    return len(names) + len(wanted), faults


def _trained(operators: object) -> list[str]:
    """Return the name that a run of a training gave, of the operators in its row."""
    record = operators.get("vocabularies") if isinstance(operators, dict) else None
    return [str(record["vocabulary"])] if isinstance(record, dict) and "fingerprint" in record else []


def block_lists(lake: LakeView) -> Found:
    """Every block list of the lake has the SHA-256 of its name, and none that the newest verdicts were made by is gone."""
    count, faults = list_faults(lake.lake)
    newest = newest_ended([run for run in read_runs(lake.snapshot, "annotate") if "blocklists" in run.operators])
    record = {} if newest is None else newest.operators["blocklists"]
    wanted = record.get("lists", {}) if isinstance(record, dict) else {}
    gone = [name for name, (_, sha256) in sorted(wanted.items()) if not has_list(lake.lake, sha256)]
    faults += [f"block list {name}, which the newest run used, is gone; give its file again" for name in gone]
    return count + len(gone), faults


def score_models(lake: LakeView) -> Found:
    """Every score model of the lake has the SHA-256 of its name, as has the fastText model that it names, and none of the newest scores is gone."""
    count, faults = stored_faults(lake.lake)
    there = {each.sha256 for each in lake_models(lake.lake)} | {shipped_scorer(name).model.sha256 for name in SHIPPED}
    gone = {column: sha256 for column, sha256 in _own_models(lake).items() if sha256 not in there}
    faults += [
        f"score model {sha256} of column {column}, which the newest run of scores used, is gone; add it again: headwater score add {lake.lake} FILE"
        for column, sha256 in gone.items()
    ]
    return count + len(gone), faults


def _own_models(lake: LakeView) -> dict[str, str]:
    """Return column → SHA-256 of the models of the newest scores that did not ship: a lake keeps no shipped one, of whatever release."""
    newest = newest_ended([run for run in read_runs(lake.snapshot, "annotate") if "scores" in run.operators])
    if newest is None:
        return {}
    record, named = newest.operators["scores"], newest.recipe.get("scores", [])
    models = record.get("models", {}) if isinstance(record, dict) else {}
    own = [str(each["name"]) for each in named if each["model"] not in SHIPPED]
    return {column: str(models[column]) for column in own if column in models}


def evaluation_sets(lake: LakeView) -> Found:
    """Every stored evaluation set has the SHA-256 of its name, and each that a run looked for is there."""
    faults = []
    stored = list_benchmarks(lake.lake)
    for each in stored:
        try:
            load_benchmark(each)
        except StoreError:
            raise
        except HeadwaterError as error:
            faults.append(str(error))
    names = [each.name for each in stored]
    faults += [f"evaluation set {name} is there twice" for name in sorted(set(names)) if names.count(name) > 1]
    searched = {
        str(name)
        for run in read_runs(lake.snapshot, "annotate")
        for record in run.records
        for name in record.get("sets", {})
        if isinstance(record.get("sets"), dict)
    }
    faults += [f"evaluation set {name}, which a run looked for, is gone" for name in sorted(searched.difference(names))]
    return len(stored) + len(searched), faults


def retained_files(lake: LakeView) -> Found:
    """Files of the versions that builds were made from, which later ones replaced, have the SHA-256 of their names."""
    live = lake.snapshot.files["path"].combine_chunks()
    looked_at: set[str] = set()
    faults: list[str] = []
    count = 0
    for version, files in pinned_files(lake.snapshot).items():
        count += files.num_rows
        replaced = files.filter(pc.invert(pc.is_in(files["path"], live)))
        for path, sha256 in zip(*(replaced[name].to_pylist() for name in ("path", "sha256")), strict=True):
            if path not in looked_at:
                looked_at.add(path)
                fault = check_file(lake.snapshot.uri, path, sha256)
                if fault is not None:
                    faults.append(f"version {version}: {fault}")
    return count, faults
