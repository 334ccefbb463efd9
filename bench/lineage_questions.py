"""Milliseconds of each question of lineage, warm in one process, of a lake that ``bench.lineage_lake`` wrote: one JSON object.

    python -m bench.lineage_questions LAKE

Every question is asked of samples drawn over the whole lake, never of one twice; the first few are not counted. ``ms`` is the median of the wall
clock, ``worst_ms`` the slowest, ``cpu_ms`` the median processor time of the process, of all its threads. ``peak_rss_mb`` is of the whole process.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bench.lineage_lake import ASKED, BUILD, FRAGMENT_SAMPLES, HOST, STAGE, uri_of
from headwater import Lake
from headwater.lineage.lookup import Lookup, open_lookup
from headwater.lineage.placed_rows import placement_at
from headwater.warehouse.snapshot import open_snapshot

__all__ = ["measure"]

_WARM_UP: Final = 4
_LINEAGE: Final = ("files", "runs", "uri_index", "host_index", "hash_index", "verdicts", "stages", "placements")
"""Families that are there to answer questions: where a sample is from, what was decided of it, where it went."""


def _timed(questions: Sequence[Callable[[], object]], warm_up: int = _WARM_UP) -> dict[str, float]:
    """Return what questions took, each asked once, without the first ones."""
    walls, processor = [], []
    for number, ask in enumerate(questions):
        wall, cpu = time.perf_counter(), time.process_time()
        ask()
        if number >= warm_up:
            walls.append(1000 * (time.perf_counter() - wall))
            processor.append(1000 * (time.process_time() - cpu))
    return {
        "ms": round(statistics.median(walls), 1),
        "worst_ms": round(max(walls), 1),
        "cpu_ms": round(statistics.median(processor), 1),
    }


def _samples(lookup: Lookup, n: int, *, by_url: bool) -> list[int]:
    """Return samples drawn over all fragments that have signals, so that a story is whole."""
    rng = np.random.default_rng(3)
    fragments = np.intersect1d(lookup.snapshot.covered("content"), lookup.snapshot.covered("signals"))
    content = lookup.live.of("content")
    found = []
    for fragment in rng.choice(fragments, n).tolist():
        (file,) = content.covering(fragment)
        rows = int(content.high[file] - content.low[file]) + 1
        found.append((fragment << 24) + int(rng.integers(0, min(rows, ASKED if by_url else FRAGMENT_SAMPLES))))
    return found


def measure(lake: str, questions: int, *, hosts: bool = True) -> dict[str, object]:
    """Return the times of all questions, of a host too if wanted."""
    begin = time.perf_counter()
    lookup = open_lookup(lake)
    opened = time.perf_counter() - begin
    there = Lake(lake)
    by_id, by_url = (_samples(lookup, questions + _WARM_UP, by_url=by_url) for by_url in (False, True))
    placed = [lookup.rows("placements", [sample])[0] for sample in _samples(lookup, questions + _WARM_UP, by_url=True)]
    uris = [uri_of(sample) for sample in by_url]
    hashes = [
        lookup.row("content", sample, ["content_hash"])
        for sample in _samples(lookup, questions + _WARM_UP, by_url=False)
    ]
    texts = [row["content_hash"] for row in hashes if row is not None]
    asked: dict[str, list[Callable[[], object]]] = {
        "why_by_id": [partial(there.why, sample) for sample in by_id],
        "why_by_url": [partial(there.why, uri=uri) for uri in uris],
        "find_by_id": [partial(there.find, sample) for sample in by_id],
        "find_by_url": [partial(there.find, uri=uri) for uri in uris],
        "find_by_hash": [partial(there.find, hash=each) for each in texts],
        "sample_of_token": [
            partial(placement_at, lookup, BUILD, STAGE, row["shard"], row["token_begin"] + 1) for row in placed
        ],
    }
    answer: dict[str, object] = {
        "lake": Path(lake).name,
        "samples": int(sum(lookup.snapshot.live("content")["rows"].to_pylist())),
        "live_files": lookup.snapshot.files.num_rows,
        "open_ms": round(1000 * opened, 1),
    }
    sizes = lookup.snapshot.files.filter(pc.is_in(lookup.snapshot.files["family"], pa.array(_LINEAGE)))["size"]
    answer["lineage_bytes_a_sample"] = round(
        pc.sum(sizes).as_py() / sum(lookup.snapshot.live("content")["rows"].to_pylist()), 1
    )
    answer |= {name: _timed(asks) for name, asks in asked.items()}

    def of_host() -> int:
        return sum(len(batch) for batch in lookup.samples_of_host(HOST))

    row = lookup.row("minhash", by_id[0], ["bands"])
    if row is not None and row["bands"]:
        answer["similar"] = _timed([partial(there.similar, sample, least=0.0) for sample in by_id])
    if hosts:
        answer["host_samples"] = of_host()
        answer["samples_of_host"] = _timed([of_host] * 3, warm_up=1)
        answer["impact_of_host"] = _timed([partial(there.impact, host=HOST)] * 3, warm_up=1)
        answer["find_by_host"] = _timed([partial(there.find, host=HOST)], warm_up=0)
    answer["snapshot_again"] = _timed([partial(open_snapshot, lake)] * 3, warm_up=1)
    answer["peak_rss_mb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    return answer


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="bench.lineage_questions", description=__doc__)
    parser.add_argument("lake", help="what bench.lineage_lake wrote")
    parser.add_argument("--questions", type=int, default=20, help="of each kind")
    parser.add_argument(
        "--without-hosts", action="store_true", help="leave out questions about a host, which take longest"
    )
    options = parser.parse_args()
    print(json.dumps(measure(options.lake, options.questions, hosts=not options.without_hosts)))


if __name__ == "__main__":
    main()
