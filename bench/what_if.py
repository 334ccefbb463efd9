"""Seconds that ``headwater what-if`` takes on a synthetic lake: one rule, two rules, a sweep of ten values.

    python -m bench.what_if --samples 10000000 --lake FOLDER

The lake has what such a question reads (content without its text, every signal, language, scores, tokens, duplicates, verdicts by the rules
of a shipped recipe, a build's stages), written by the warehouse's own writers; a lake that exists already is used again. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from bench.figures import Figures
from headwater.filters.rules.rule_set import evaluate
from headwater.filters.signals.columns import SIGNALS
from headwater.fingerprint import canonical_json
from headwater.pipelines.recipe.job import Recipe
from headwater.pipelines.recipe.shipped import find_recipe
from headwater.warehouse.commit import commit, create_lake
from headwater.warehouse.fragments import ROWS_PER_FRAGMENT, FileEntry, sample_ids
from headwater.warehouse.parquet import FamilyWriter
from headwater.warehouse.schema import arrow_schema

_RECIPE: Final = "ling-flash-2"
_OPERATOR: Final = "0123456789abcdef" * 2
_ROWS_PER_TEXT_GROUP: Final = 1 << 13
"""Rows of a row group of content: 32 MB of text at 4 kB a document."""
_LANGUAGES: Final = (
    "en zh es fr de pt it ru ja ko ar hi vi th id tr pl nl uk cs sv no da fi ro hu el he fa bn und".split()
)
_DOMAINS: Final = ["web", "code", "math", "dialogue", "reference"]
_FAMILIES: Final = ("content", "language", "signals", "scores", "tokens", "duplicates", "verdicts", "stages")
_QUESTIONS: Final = {
    "one rule": ["--set", "gopher.min_words=30"],
    "two rules": ["--set", "gopher.min_words=30", "--set", "fineweb.min_punct_lines=0.2"],
    "one language": ["--set", "gopher.min_words.de=30"],
    "sweep of 10": ["--sweep", "gopher.min_words=10:100:10"],
}


def _pick(random: np.random.Generator, names: list[str], n: int, skew: float) -> pa.Array:
    weights = 1.0 / np.arange(1, len(names) + 1) ** skew
    chosen = random.choice(len(names), n, p=weights / weights.sum()).astype(np.int32)
    return pa.DictionaryArray.from_arrays(pa.array(chosen), pa.array(names)).cast(pa.string())


def _signals(random: np.random.Generator, n: int) -> dict[str, pa.Array]:
    """Return every signal; most rows pass the rules, and each rule meets its limit somewhere."""
    words = np.exp(random.normal(5.8, 1.3, n)).astype(np.int32)
    columns: dict[str, pa.Array] = {}
    for name, kind in SIGNALS.items():
        if name == "gopher_words":
            values: npt.NDArray[np.int32 | np.int64 | np.float64] = words
        elif name == "hw_chars":
            values = words * 6
        elif name == "c4_sentences":
            values = words // 15 + 2
        elif name == "gopher_stop_words":
            values = random.binomial(8, 0.8, n)
        elif name == "c4_longest_word":
            values = random.poisson(18, n)
        elif kind == pa.int32():
            values = random.poisson(0.01, n)
        elif name == "gopher_mean_word_length":
            values = random.normal(5, 0.5, n)
        elif name in ("gopher_alpha_words_fraction", "fineweb_punct_lines_fraction"):
            values = random.beta(8, 2, n)
        else:
            # A hundredth of the texts repeats itself; fractions of few lines take few values.
            values = np.where(random.random(n) < 0.01, random.beta(2, 4, n), np.round(random.beta(1, 60, n), 3))
        columns[name] = pa.array(values).cast(kind, safe=False)
    return columns


def _fragment(recipe: Recipe, random: np.random.Generator, fragment: int, n: int) -> dict[str, pa.Table]:
    """Return the rows of every family of one fragment."""
    rules = recipe.rules.load()
    signals = _signals(random, n)
    words = signals["gopher_words"].to_numpy()
    hashes = random.bytes(16 * n)
    offsets = pa.py_buffer(np.arange(n + 1, dtype=np.int32) * 16)
    hashed = pa.Array.from_buffers(pa.binary(), n, [None, offsets, pa.py_buffer(hashes)])
    scores = {
        name: pa.array(random.integers(0, 65536, n), pa.int32())
        for name in ("quality", "knowledge_density", "reasoning_density", "chain_of_thought")
    }
    ids = sample_ids(fragment, 0, n)
    # A tenth stands in clusters of three neighbours by hash of the number: the first passes as the winner, the others name it.
    clustered = (np.arange(n) // 3) % 10 == 0
    leader = np.arange(n) // 3 * 3
    cluster = pc.if_else(pa.array(clustered), hashed.take(pa.array(leader)), pa.nulls(n, pa.binary()))
    values: dict[str, dict[str, pa.Array]] = {
        "content": {
            "source": _pick(random, [f"web-{number:02d}" for number in range(40)], n, 1.1),
            "uri": pa.array([f"https://example.org/{fragment}/{row}" for row in range(n)]),
            "content_hash": hashed,
            "origin": pa.array(random.integers(-(2**62), 2**62, n)),
            "text_bytes": pa.array(words.astype(np.int64) * 6 + random.integers(0, 6, n)),
        },
        "language": {
            "language": _pick(random, _LANGUAGES, n, 1.0),
            "language_score": pa.array(random.beta(20, 1, n), pa.float32()),
        },
        "signals": signals,
        "scores": scores | {"domain": _pick(random, _DOMAINS, n, 1.5)},
        "tokens": {"n_tokens": pa.array((words * 1.4).astype(np.int64))},
        "duplicates": {"cluster_id": cluster},
    }
    clean = {name: pa.array(np.zeros(n, np.float32)) for name in ("contamination_overlap", "contamination_answered")}
    wide = pa.table({name: column for columns in values.values() for name, column in columns.items()} | clean)
    found = evaluate(wide, rules)
    passes = pc.is_null(found["first_reason"].combine_chunks()).to_numpy(zero_copy_only=False)
    winner = clustered & passes & (np.arange(n) == leader)
    loser = clustered & passes & ~winner & winner[leader]
    reasons = found["reasons"].combine_chunks()
    duplicate = pa.array(["exact_duplicate"] * n)
    listed = pa.ListArray.from_arrays(pa.array(np.arange(n + 1, dtype=np.int32)), duplicate)
    first = found["first_reason"].combine_chunks()
    kept = passes & ~loser
    values["verdicts"] = clean | {
        "kept": pa.array(kept),
        "reasons": pc.if_else(pa.array(loser), listed, reasons),
        "first_reason": pc.if_else(pa.array(loser), duplicate, first),
        "rule_set": pa.array([rules.fingerprint] * n),
        "duplicate_of": pa.array(ids[leader], mask=~loser),
    }
    tables = {family: _rows(family, ids, columns) for family, columns in values.items()}
    at = np.flatnonzero(kept)
    stage = pa.array(
        np.array([*[stage.name for stage in recipe.stages], None], dtype=object)[random.integers(0, 4, len(at))]
    )
    tables["stages"] = _rows(
        "stages", ids[at], {"build": pa.array(["made-up"] * len(at)), "stage": stage, "copies": pa.array([1] * len(at))}
    )
    return tables


def _rows(family: str, ids: npt.NDArray[np.int64], columns: dict[str, pa.Array]) -> pa.Table:
    known = columns | {"sample_id": pa.array(ids), "run_id": pa.array(["made-up"] * len(ids))}
    schema = arrow_schema(family)
    arrays = [known.get(field.name, pa.nulls(len(ids), field.type)) for field in schema]
    return pa.table([array.cast(field.type) for array, field in zip(arrays, schema, strict=True)], schema=schema)


def make_lake(lake: str, samples: int) -> None:
    """Write a lake of ``samples`` samples in fragments of 2^20 with one build, and commit it."""
    recipe = find_recipe(_RECIPE)
    snapshot = create_lake(lake)
    fragments = list(range(-(-samples // ROWS_PER_FRAGMENT)))
    mask = (1 << len(fragments)) - 1
    entries: list[FileEntry] = []
    narrow = {
        family: FamilyWriter(snapshot.uri, family, "made-up" if family == "stages" else "one", 0, mask, _OPERATOR)
        for family in _FAMILIES
        if family != "content"
    }
    for fragment in fragments:
        n = min(ROWS_PER_FRAGMENT, samples - fragment * ROWS_PER_FRAGMENT)
        tables = _fragment(recipe, np.random.default_rng(fragment), fragment, n)
        with FamilyWriter(snapshot.uri, "content", "one", fragment, 1, _OPERATOR) as writer:
            for begin in range(0, n, _ROWS_PER_TEXT_GROUP):
                writer.write(tables["content"].slice(begin, _ROWS_PER_TEXT_GROUP))
            entries.append(writer.finish())
        for family, narrow_writer in narrow.items():
            narrow_writer.write(tables[family])
    entries += [writer.finish() for writer in narrow.values()]
    entries.append(_run(snapshot.uri, recipe))
    commit(snapshot, adds=entries, wave=("bench", 1), lake=lake)


def _run(uri: str, recipe: Recipe) -> FileEntry:
    """Write the record of the selection that chose the build."""
    now = pa.scalar(time.time_ns() // 1000, pa.timestamp("us", tz="UTC"))
    values = {
        "step": "select",
        "recipe": canonical_json(recipe.literals),
        "operators": canonical_json({"stages": {"build": "made-up"}}),
        "counts": "{}",
        "code_version": "bench",
        "input_version": 0,
        "run_id": "made-up",
        "started": now.as_py(),
        "ended": now.as_py(),
    }
    with FamilyWriter(uri, "runs", "runs", 0, 0, _OPERATOR) as writer:
        writer.write(pa.Table.from_pylist([values], schema=arrow_schema("runs")))
        return writer.finish()


def _ask(lake: str, options: list[str]) -> Figures:
    """Return seconds, peak memory and the answer's own account of its time; each question is a process of its own."""
    command = [sys.executable, "-m", "headwater", "what-if", lake, _RECIPE, *options, "--output", "json"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begin = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    seconds = time.perf_counter() - begin
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    answer = json.loads(done.stdout)
    return {
        "seconds": round(seconds, 2),
        "cpu_seconds": round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 2),
        "samples_per_second": int(answer["samples"] / seconds),
        "peak_mb": after.ru_maxrss // 1000,
        "time": answer["time"],
    }


def _answers(lake: str, repetitions: int) -> Iterator[tuple[str, Figures]]:
    for name, options in _QUESTIONS.items():
        yield name, min((_ask(lake, options) for _ in range(repetitions)), key=lambda found: found["seconds"])


def main() -> None:
    """Parse, make the lake where there is none, ask, print."""
    parser = argparse.ArgumentParser(prog="bench.what_if", description=__doc__)
    parser.add_argument("--samples", type=int, default=10_000_000)
    parser.add_argument("--lake", help="where the lake is, or is made and left; by default a folder that is removed")
    parser.add_argument("--repetitions", type=int, default=3, help="of each question; the fastest counts")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        lake = options.lake or str(Path(folder) / "lake")
        if not (Path(lake) / "samples").exists():
            make_lake(lake, options.samples)
        report = {"samples": options.samples, "cpus": os.cpu_count(), **dict(_answers(lake, options.repetitions))}
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
