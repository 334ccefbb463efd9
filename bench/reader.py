"""The reader against a plain np.memmap: sequences a second of one process, ``python -m bench.reader [FOLDER]``.

Without a folder a stage of 256 MB is written first: documents of about 600 tokens in sequences of 4,096. Both sides copy each
sequence into an array of the batch, in the same order; the reader also finds the documents in them. Files are in the page cache.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bench.figures import Figures
from headwater.reader import Reader, Stage, open_stage

__all__ = ["main", "measure"]

_BATCH, _REPEATS = 16, 5


def _write_stage(folder: Path) -> None:
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
    from stage_folder import write_folder

    write_folder(folder, (4096,) * 4, context=4096, suffixes=(".bin",), longest=1200)


def _plain(maps: list[npt.NDArray[np.uint32]], first: npt.NDArray[np.int64], order: npt.NDArray[np.int64]) -> None:
    shards = np.searchsorted(first, order, side="right") - 1
    rows = order - first[shards]
    for begin in range(0, len(order), _BATCH):
        batch = np.empty((min(_BATCH, len(order) - begin), maps[0].shape[1]), dtype=np.uint32)
        for row in range(len(batch)):
            batch[row] = maps[shards[begin + row]][rows[begin + row]]


def _seconds(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def measure(stage: Stage, folder: Path) -> Figures:
    """Return sequences a second of both sides and their quotient, from the fastest of five runs each, in turns."""
    n, context = len(stage), stage.manifest.context
    maps = [
        np.memmap(path, dtype="<u4", mode="r").reshape(-1, context) for path in sorted(folder.glob("shard-?????.bin"))
    ]
    first = np.concatenate([[0], np.cumsum([len(shard) for shard in maps])])
    order = Reader(stage, batch_size=_BATCH, seed=1, epochs=1).order(0, n)
    sides: dict[str, Callable[[], object]] = {
        "memmap": lambda: _plain(maps, first, order),
        "reader": lambda: [None for _ in Reader(stage, batch_size=_BATCH, seed=1, epochs=1)],
        "reader_labels": lambda: [
            batch.labels() is None for batch in Reader(stage, batch_size=_BATCH, seed=1, epochs=1)
        ],
    }
    decode = _seconds(sides["reader"])
    best = dict.fromkeys(sides, float("inf"))
    for _ in range(_REPEATS):
        for name, work in sides.items():
            best[name] = min(best[name], _seconds(work))
    found: Figures = {f"{name}_sequences_per_s": round(n / seconds) for name, seconds in best.items()}
    shares = {f"{name}_share_of_memmap": round(best["memmap"] / best[name], 3) for name in ("reader", "reader_labels")}
    return {"sequences": n, "context": context, **found, **shares, "first_epoch_s": round(decode, 3)}


def main() -> None:
    """Print the figures as JSON."""
    with tempfile.TemporaryDirectory(prefix="headwater-reader-") as name:
        folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(name) / "stage"
        if len(sys.argv) == 1:
            _write_stage(folder)
        print(json.dumps(measure(open_stage(folder, suffix=".bin"), folder), indent=1))


if __name__ == "__main__":
    main()
