"""A lake of any number of samples to ask questions of: every family that answers read, at full length, but no text, no signature and no shard.

    python -m bench.lineage_lake LAKE --samples 10000000

Content hashes, origins, URLs and places are drawn, and agree with each other as a real job's do: a copy lies in the shard that its content hash
gives, a URL's hash is in the index (of the first samples of each fragment that of its URL, of the others a random one, since only the first are asked
for). Measures repeat from fragment to fragment. All families have the files, row groups and pages that a job writes for fragments of 150,000 samples;
``--signals-every`` leaves out spans of family signals, which is 155 columns wide, where the disk is small; ``--bands`` adds bands of signatures,
drawn at random, and signatures that are all alike, to ask for near-duplicates. Written with pyarrow, without Spark.

Disk: 300 bytes a sample, of which 223 are signals. Processor time: 10 s for 10⁶ samples; 475 s for 10⁸ with signals of every fourth span. Memory: 32
bytes a sample for the places, and 600 MB.
"""

from __future__ import annotations

import argparse
import functools
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from headwater.fingerprint import fingerprint
from headwater.hashes import mix_hashes, short_hashes
from headwater.lineage.buckets import bucket_of
from headwater.lineage.builds import stage_operator
from headwater.lineage.runs import Unit, begin_run, commit_wave, finish_run
from headwater.pipelines.recipe.operators import resolve
from headwater.pipelines.recipe.shipped import find_recipe
from headwater.warehouse.commit import create_lake
from headwater.warehouse.fragments import FRAGMENTS_PER_FILE, FileEntry, fragment_mask, sample_ids
from headwater.warehouse.maintain import maintain
from headwater.warehouse.parquet import write_family
from headwater.warehouse.schema import ALIGNED, FAMILIES, arrow_schema

__all__ = ["ASKED", "BUILD", "HOST", "STAGE", "uri_of", "write_lake"]

FRAGMENT_SAMPLES: Final = 150_000
"""Of 512 MB of text at 3,400 bytes a sample."""
ASKED: Final = 64
"""Samples of each fragment, its first ones, that questions may ask for by URL."""
HOST: Final = "large.example.org"
"""One sample in a thousand is of it."""
BUILD: Final = "big"
STAGE: Final = "general"
_SEED: Final = 0
_TOKENS: Final = 800
_SHARD_TOKENS: Final = 1 << 27
_BANDS: Final = 14
_SAME_BYTES: Final = {"signature": 448, "normalized_hash": 16}
_BATCH: Final = "web"
_OPERATOR: Final = fingerprint("bench")
_SETTINGS: Final = {
    "build": {"seed": _SEED, "shard_tokens": _SHARD_TOKENS},
    "stages": [{"name": STAGE, "order_by": "quality"}],
}
"""What the recipe says in place of the demo's."""
_NARROW: Final = tuple(name for name in ALIGNED if name not in ("content", "captures", "recaptures", "blocklists"))

_Ints = npt.NDArray[np.int64]


def uri_of(sample: int) -> str:
    """Return the URL of a sample among the first of its fragment."""
    return f"https://{_host(sample)}/page/{sample}"


def _host(sample: int) -> str:
    return HOST if sample % 1000 == 7 else f"h{sample % 100_003}.example.org"


def _hosts(ids: _Ints) -> pa.Array:
    """Return the host of each sample, as ``_host`` has it."""
    numbers = pa.array(ids % 100_003).cast(pa.string())
    usual = pc.binary_join_element_wise("h", numbers, ".example.org", "")
    return pc.if_else(pa.array(ids % 1000 == 7), HOST, usual)


def _table(family: str, run: str, known: Mapping[str, pa.Array]) -> pa.Table:
    """Return rows of a family with some of its columns, null in the others."""
    n = len(known["sample_id"])
    columns = []
    for field in arrow_schema(family):
        if field.name in known:
            columns.append(known[field.name].cast(field.type))
        elif field.name == "run_id":
            columns.append(pa.repeat(pa.scalar(run), n))
        else:
            columns.append(pa.nulls(n, field.type))
    return pa.table(columns, names=arrow_schema(family).names)


def _digests(rng: np.random.Generator, n: int) -> npt.NDArray[np.uint8]:
    return rng.integers(0, 256, (n, 16), dtype=np.uint8)


def _binary(digests: npt.NDArray[np.uint8]) -> pa.Array:
    ends = np.arange(0, digests.size + 1, 16, dtype=np.int32)
    return pa.Array.from_buffers(pa.binary(), len(digests), [None, pa.py_buffer(ends), pa.py_buffer(digests)])


def _content(run: str, ids: _Ints, rng: np.random.Generator) -> tuple[list[pa.Table], npt.NDArray[np.uint64]]:
    """Return the content of a fragment, a row group of 5,000 samples each, and where each sample's copy lies."""
    digests, origin = _digests(rng, len(ids)), rng.integers(-(2**63), 2**63, len(ids), dtype=np.int64)
    uri = pc.binary_join_element_wise("https://", _hosts(ids), "/page/", pa.array(ids).cast(pa.string()), "")
    table = _table(
        "content",
        run,
        {
            "sample_id": pa.array(ids),
            "file_id": pa.array(ids >> 24),
            "record_no": pa.array(ids & 0xFFFFFF),
            "source": pa.repeat("web", len(ids)),
            "uri": uri,
            "content_hash": _binary(digests),
            "origin": pa.array(origin),
            "text": pa.repeat("", len(ids)),
            "text_bytes": pa.array(rng.integers(200, 7000, len(ids))),
        },
    )
    return [table.slice(at, 5000) for at in range(0, len(ids), 5000)], mix_hashes("order", _SEED, digests, origin)


def _index(run: str, ids: _Ints, rng: np.random.Generator) -> dict[str, pa.Table]:
    hashes = rng.integers(-(2**63), 2**63, len(ids), dtype=np.int64)
    hashes[:ASKED] = short_hashes([uri_of(sample) for sample in ids[:ASKED].tolist()])
    uris = _table("uri_index", run, {"sample_id": pa.array(ids), "uri_hash": pa.array(hashes)})
    names = _hosts(ids).dictionary_encode()
    by_host = pa.array(short_hashes(names.dictionary.to_pylist())[names.indices.to_numpy()])
    domain = pa.array(np.repeat(short_hashes(["example.org"]), len(ids)))
    hosts = _table("host_index", run, {"sample_id": pa.array(ids), "domain_hash": domain, "host_hash": by_host})
    return {
        "uri_index": uris.sort_by([("uri_hash", "ascending"), ("sample_id", "ascending")]),
        "host_index": hosts.sort_by(
            [("domain_hash", "ascending"), ("host_hash", "ascending"), ("sample_id", "ascending")]
        ),
    }


def _narrow(family: str, run: str, ids: _Ints, bands: np.random.Generator | None = None) -> pa.Table:
    """Return the rows of a fragment of an aligned family; of signatures with bands where there is what draws them."""
    found = _measures(family, run, len(ids)).set_column(0, "sample_id", pa.array(ids))
    if family != "minhash" or bands is None:
        return found
    drawn = bands.integers(-(2**63), 2**63, len(ids) * _BANDS, dtype=np.int64)
    lists = pa.ListArray.from_arrays(pa.array(np.arange(0, len(drawn) + 1, _BANDS, dtype=np.int32)), pa.array(drawn))
    same = {name: pa.repeat(pa.scalar(bytes(size), pa.binary()), len(ids)) for name, size in _SAME_BYTES.items()}
    for name, column in {"bands": lists, **same}.items():
        found = found.set_column(found.schema.get_field_index(name), name, column)
    return found


@functools.lru_cache(maxsize=2 * len(_NARROW))
def _measures(family: str, run: str, n: int) -> pa.Table:
    """Return n rows of a family: numbers of a byte's worth of chance, few texts, empty lists."""
    known: dict[str, pa.Array] = {"sample_id": pa.array(np.zeros(n, np.int64))}
    base = np.random.default_rng(2).integers(0, 256, n)
    for number, (name, (kind, _)) in enumerate(FAMILIES[family].fields.items()):
        values = np.roll(base, number * 997)
        if pa.types.is_floating(kind):
            known[name] = pa.array((values / 256).astype(np.float32))
        elif pa.types.is_boolean(kind):
            known[name] = pa.array(values > 40)
        elif pa.types.is_integer(kind) and name != "duplicate_of":
            known[name] = pa.array(values)
        elif pa.types.is_list(kind):
            known[name] = pa.array([[]] * n, kind)
        elif pa.types.is_string(kind):
            known[name] = pa.array([f"{name} {each}" for each in range(8)]).take(pa.array(values % 8))
    return _table(family, run, known)


def _stages(run: str, ids: _Ints) -> pa.Table:
    n = len(ids)
    known = {
        "sample_id": pa.array(ids),
        "build": pa.repeat(BUILD, n),
        "stage": pa.repeat(STAGE, n),
        "pool": pa.repeat("general", n),
        "cell_language": pa.repeat("en", n),
        "cell_domain": pa.repeat("*", n),
        "copies": pa.repeat(1, n),
        "rank": pa.array((np.int64(65_535 - 40_000) << 47) | ids),
        "reason": pa.repeat("within_cut", n),
    }
    return _table("stages", run, known)


def _placements(run: str, shard: int, ids: _Ints, positions: npt.NDArray[np.uint64]) -> pa.Table:
    """Return the placements of a shard in order: a run of tokens a sample."""
    ids = ids[np.argsort(positions)]
    begin = np.arange(len(ids)) * _TOKENS
    known = {
        "sample_id": pa.array(ids),
        "build": pa.repeat(BUILD, len(ids)),
        "stage": pa.repeat(STAGE, len(ids)),
        "shard": pa.repeat(shard, len(ids)),
        "sequence": pa.array(begin // 8192),
        "token_begin": pa.array(begin),
        "token_end": pa.array(begin + _TOKENS),
        "sample_token_begin": pa.repeat(0, len(ids)),
        "copy": pa.repeat(0, len(ids)),
    }
    return _table("placements", run, known)


def _files(run: str, fragments: Sequence[int]) -> pa.Table:
    known = {
        "file_id": pa.array(list(fragments), pa.int64()),
        "file_uri": pa.array([f"/input/{number}.jsonl.zst" for number in fragments]),
        "sha256": pa.array([f"{number:064x}" for number in fragments]),
        "file_bytes": pa.repeat(1 << 27, len(fragments)),
        "records": pa.repeat(FRAGMENT_SAMPLES, len(fragments)),
        "quarantined": pa.repeat(0, len(fragments)),
        "format": pa.repeat("jsonl.zst", len(fragments)),
    }
    names = arrow_schema("files").names
    found = _table("files", run, known | {"sample_id": known["file_id"]})
    return found.select(names)


def write_lake(lake: str, samples: int, signals_every: int = 1, *, bands: bool = False) -> dict[str, float]:
    """Write the lake and return what it took.

    Args:
        signals_every: of the spans of 64 fragments only every so many have signals, the first one always.
        bands: signatures have bands.
    """
    begin = time.monotonic()
    snapshot = create_lake(lake)
    uri = snapshot.uri
    rng = np.random.default_rng(1)
    drawn = np.random.default_rng(4) if bands else None
    job = resolve(find_recipe("demo"), lake)
    recipe = dict(job.recipe.literals) | _SETTINGS
    made_by: dict[str, dict[str, object]] = {
        "ingest": {"ingest": 1},
        "annotate": {
            name: job.operators[name] for name in ("language", "signals", "scores", "minhash", "spans", "tokens")
        },
        "deduplicate": {"duplicates": job.operators["duplicates"]},
        "decide": {"verdicts": job.operators["verdicts"]},
        "select": {"stages": {"build": BUILD}},
        "build": {"shards": {"build": BUILD}},
    }
    runs = {step: begin_run(lake, step, recipe, operators, 0) for step, operators in made_by.items()}
    runs["select"].counts |= {"cuts": 1, f"cut:{STAGE}:general/en/*": 30_000}
    run = runs["ingest"]
    counts = [min(FRAGMENT_SAMPLES, samples - at) for at in range(0, samples, FRAGMENT_SAMPLES)]
    positions: list[npt.NDArray[np.uint64]] = []
    for first in range(0, len(counts), FRAGMENTS_PER_FILE):
        span = list(range(first, min(len(counts), first + FRAGMENTS_PER_FILE)))
        ids = {fragment: sample_ids(fragment, 0, counts[fragment]) for fragment in span}
        entries: list[FileEntry] = [write_family(uri, "files", _BATCH, 0, 0, _OPERATOR, [_files(run.run_id, span)])]
        for fragment in span:
            groups, places = _content(run.run_id, ids[fragment], rng)
            positions.append(places)
            known = {"sample_id": pa.array(ids[fragment]), "host": _hosts(ids[fragment])}
            known["registered_domain"] = pa.repeat("example.org", counts[fragment])
            tables = {
                "captures": [_table("captures", run.run_id, known)],
                **{name: [table] for name, table in _index(run.run_id, ids[fragment], rng).items()},
            }
            for family, parts in {"content": groups, **tables}.items():
                entries.append(write_family(uri, family, _BATCH, fragment, 1, _OPERATOR, parts))
        base, mask = fragment_mask(span)
        for family in _NARROW:
            if family == "signals" and (first // FRAGMENTS_PER_FILE) % signals_every:
                continue
            step = {"duplicates": "deduplicate", "verdicts": "decide"}.get(family, "annotate")
            parts_of = (_narrow(family, runs[step].run_id, ids[fragment], drawn) for fragment in span)
            entries.append(write_family(uri, family, _BATCH, base, mask, _OPERATOR, parts_of))
        for family in ("spans", "contamination"):
            empty = (arrow_schema(family).empty_table() for _ in span)
            entries.append(write_family(uri, family, _BATCH, base, mask, _OPERATOR, empty))
        chosen = (_stages(runs["select"].run_id, ids[fragment]) for fragment in span)
        entries.append(write_family(uri, "stages", BUILD, base, mask, _OPERATOR, chosen))
        snapshot, _ = commit_wave(run, snapshot, [Unit(adds=entries)])
    for step, run in runs.items():
        if step != "ingest":
            shards = _shards(uri, run.run_id, counts, positions) if step == "build" else ()
            snapshot, _ = commit_wave(run, snapshot, [Unit(adds=list(shards))])
        snapshot = finish_run(run, snapshot)
    del positions
    written = time.monotonic() - begin
    maintain(lake, retention_hours=0.0)
    folder = Path(lake)
    return {
        "samples": samples,
        "files": snapshot.newest().files.num_rows,
        "bytes": sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()),
        "write_s": round(written, 1),
        "maintain_s": round(time.monotonic() - begin - written, 1),
    }


def _shards(
    uri: str, run: str, counts: Sequence[int], positions: Sequence[npt.NDArray[np.uint64]]
) -> Iterator[FileEntry]:
    """Yield the files of placements, each sample in the shard of its position."""
    total = sum(counts)
    shards = 1 << (-(-total * _TOKENS // _SHARD_TOKENS) - 1).bit_length()
    every = np.concatenate(positions)
    ids = np.concatenate([sample_ids(fragment, 0, count) for fragment, count in enumerate(counts)])
    shard = bucket_of(every, shards).astype(np.int16)
    order = np.argsort(shard, kind="stable")
    ends = np.cumsum(np.bincount(shard, minlength=shards))
    for number, end in enumerate(ends.tolist()):
        mine = order[int(ends[number - 1]) if number else 0 : end]
        table = _placements(run, number, ids[mine], every[mine])
        yield write_family(uri, "placements", BUILD, number, 1, stage_operator(STAGE), [table])


def main() -> None:
    """Write a lake and print what it took."""
    parser = argparse.ArgumentParser(prog="bench.lineage_lake", description=__doc__)
    parser.add_argument("lake", help="a folder that is not there yet")
    parser.add_argument("--samples", type=int, default=1_000_000)
    parser.add_argument(
        "--signals-every", type=int, default=1, help="write signals of every so many spans of fragments"
    )
    parser.add_argument("--bands", action="store_true", help="signatures have bands")
    options = parser.parse_args()
    print(json.dumps(write_lake(options.lake, options.samples, options.signals_every, bands=options.bands)))


if __name__ == "__main__":
    main()
