"""Putting the files of a committed revision in place, from wherever it stopped.

The commit of a revision says what the manifest of each stage must become; the files lie ready in a folder of their own. Here, stage by stage: a mark
goes into the stage's folder and its manifest goes, so no reader opens a mixture; files are moved over the old ones; the new manifest comes last, and
the mark goes. Whoever does this again, or two at once, ends with the same bytes. Then the row of the revision ends.
"""

from __future__ import annotations

import hashlib
import json
from typing import Final

from pyarrow import fs as pafs

from headwater.errors import ConflictError, CorruptLakeError
from headwater.fingerprint import canonical_json, fingerprint
from headwater.lineage.build_records import PROVENANCE, provenance_bytes, settle_provenance
from headwater.lineage.builds import builds_uri, shard_name
from headwater.lineage.past_runs import PastRun
from headwater.lineage.revisions import STEP, open_revisions, revision_record
from headwater.lineage.runs import Run, finish_run
from headwater.plain import JsonObject, ValuesByName
from headwater.tokenize.shards.manifest import MANIFEST, MARK, Shard, read_manifest, write_shard
from headwater.tokenize.shards.roots import ROOT, build_root
from headwater.warehouse.faults import reach
from headwater.warehouse.filesystem import delete_file, exists, file_sha256, filesystem_of, join, read_bytes, write_file
from headwater.warehouse.real_files import refuse_links
from headwater.warehouse.snapshot import Snapshot, open_snapshot

__all__ = ["STAGED", "clear_staged", "settle"]

STAGED: Final = ".revise"
"""Folder of a build in which the files of revisions lie until they are in place, a folder for each run."""
_TRIES: Final = 100


def settle(lake: str, build: str) -> list[str]:
    """Put the files of every committed revision of a build in place, end their rows, and return the ids of their runs.

    Raises:
        CorruptLakeError: a file that was made ready is gone, and it is not in place either.
    """
    done = []
    for run in open_revisions(open_snapshot(lake), build):
        record = revision_record(run)
        n_files = 0
        for stage, told in record["stages"].items():
            n_files = _settle_stage(lake, build, run.run_id, stage, told, n_files)
        _end(lake, build, run)
        clear_staged(lake, build, run.run_id)
        done.append(run.run_id)
    return done


def clear_staged(lake: str, build: str, run_id: str | None = None) -> None:
    """Delete what a revision made ready, or all of them; their folder goes with the last one."""
    folder = builds_uri(lake, build, STAGED)
    filesystem, path = filesystem_of(folder)
    refuse_links(filesystem, filesystem_of(lake)[1], path)
    mine = path if run_id is None else join(path, run_id)
    if filesystem.get_file_info(mine).type == pafs.FileType.Directory:
        filesystem.delete_dir(mine)
    if filesystem.get_file_info(path).type == pafs.FileType.Directory and not filesystem.get_file_info(
        pafs.FileSelector(path)
    ):
        filesystem.delete_dir(path)


def _settle_stage(lake: str, build: str, run_id: str, stage: str, told: ValuesByName, n_files: int) -> int:
    target = builds_uri(lake, build, stage)
    filesystem, path = filesystem_of(target)
    refuse_links(filesystem, filesystem_of(lake)[1], path)
    mark = join(path, MARK)
    if _sha256(filesystem, join(path, MANIFEST)) == told["after"]:
        delete_file(filesystem, mark)
        return n_files
    ready = join(filesystem_of(builds_uri(lake, build, STAGED))[1], run_id, stage)
    place = join(ready, MANIFEST)
    if _sha256(filesystem, place) != told["after"]:
        raise CorruptLakeError(
            f"expected the manifest of revision {told['revision']} of {build}/{stage} at {place}, found another or none; restore it from a copy, or "
            "select and build again under another name"
        )
    data = read_bytes(filesystem, place)
    manifest = read_manifest(data, place)
    reach(f"{STEP}/before-replace/{n_files + 1}")
    write_file(target, MARK, _mark(told), root=lake)
    delete_file(filesystem, join(path, MANIFEST))
    shards = {shard.number: shard for shard in manifest.shards}
    for number in told["shards"]:
        if number in shards:
            for name, sha256 in _files_of(shards[number]):
                _put(filesystem, ready, path, name, sha256)
                n_files += 1
                reach(f"{STEP}/after-replace/{n_files}")
    for name in told["removed"]:
        delete_file(filesystem, join(path, name))
    reach(f"{STEP}/before-manifest/{stage}")
    write_file(target, MANIFEST, data, root=lake)
    reach(f"{STEP}/after-manifest/{stage}")
    delete_file(filesystem, mark)
    return n_files


def _mark(told: ValuesByName) -> bytes:
    return json.dumps({"revision": told["revision"], "replaces": told["before"]}, sort_keys=True).encode() + b"\n"


def _files_of(shard: Shard) -> list[tuple[str, str]]:
    """Return name and SHA-256 of the files of a shard, its record last."""
    record = hashlib.sha256(write_shard(shard)).hexdigest()
    return [*((file.name, file.sha256) for file in shard.files), (f"{shard_name(shard.number)}.json", record)]


def _sha256(filesystem: pafs.FileSystem, place: str) -> str | None:
    try:
        return None if exists(filesystem, place) is None else file_sha256(filesystem, place)
    except FileNotFoundError:  # another driver has just moved it
        return None


def _put(filesystem: pafs.FileSystem, ready: str, path: str, name: str, sha256: str) -> None:
    """Move a file over the one that it replaces, unless that was done before."""
    source, target = join(ready, name), join(path, name)
    found = _sha256(filesystem, source)
    if found == sha256:
        try:
            filesystem.move(source, target)
        except FileNotFoundError:  # by another driver, a moment ago
            pass
        else:
            return
    if _sha256(filesystem, target) != sha256:
        raise CorruptLakeError(
            f"expected SHA-256 {sha256} in {source} or {target}, found another; restore it from a copy, or select and build again under another name"
        )


def _end(lake: str, build: str, run: PastRun) -> None:
    """Write what describes the build anew, and end the row of the revision: from here on it is what the build stands on."""
    snapshot = open_snapshot(lake)
    record = dict(revision_record(run))
    provenance: dict[str, JsonObject] = {}
    for stage, told in record["provenance"].items():
        written = dict(told)
        if stage in record["stages"] and told is not None:
            written |= {
                "input_version": snapshot.version,
                "table_version": snapshot.version,
                "code_version": run.code_version,
            }
            written["runs"] = told["runs"] | {STEP: sorted({*told["runs"].get(STEP, ()), run.run_id})}
            write_file(builds_uri(lake, build, stage), PROVENANCE, provenance_bytes(written), root=lake)
        provenance[stage] = written
    write_file(builds_uri(lake, build), ROOT, build_root(record["manifests"]), root=lake)
    record["provenance"] = provenance
    for _ in range(_TRIES):
        if all(each.run_id != run.run_id for each in open_revisions(snapshot, build)):
            break
        again = Run(
            lake=lake,
            step=STEP,
            run_id=run.run_id,
            recipe=run.recipe_json,
            operators=canonical_json({STEP: record}),
            input_version=snapshot.version,
            started=run.started,
            counts=dict(run.counts),
            waves=snapshot.transaction(run.run_id) or 0,
            row=_row_of(snapshot, run.run_id),
        )
        try:
            finish_run(again, snapshot)
        except ConflictError:
            snapshot = open_snapshot(lake)
        else:
            break
    else:
        raise ConflictError(
            f"{_TRIES} tries to end a revision of {build} lost against other writers; run the same command again"
        )
    settle_provenance(lake, build, provenance)


def _row_of(snapshot: Snapshot, run_id: str) -> str | None:
    paths = snapshot.live("runs", operator=fingerprint(run_id))["path"].to_pylist()
    return paths[0] if paths else None
