"""Megatron's own order: what `stage_order` says is what megatron-core reads, sample by sample."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from loader_python import run_with_loaders

from headwater.reader.megatron_order import stage_order
from headwater.tokenize.shards import megatron

pytestmark = pytest.mark.interop

_PROGRAM = Path(__file__).parent / "loaders" / "megatron_read_order.py"
CONTEXT = 4


def _case(
    counts: list[int], samples: int, seed: int = 1234, extra: bool = True, split: str = "1,0,0"
) -> dict[str, Any]:
    return {
        "counts": counts,
        "samples": samples,
        "seed": seed,
        "extra_token": extra,
        "split": split,
        "context": CONTEXT,
    }


CASES = [
    _case([40], 30),
    _case([40], 40),
    _case([40], 40, extra=False),
    _case([40], 65),  # the last of two epochs is shuffled apart
    _case([40], 79),  # more than four fifths of it are wanted: shuffled with the others
    _case([40], 150, seed=7, extra=False),
    _case([41], 60, split="90,8,2"),
    _case([30, 31, 29, 30], 100),
    _case([30, 31, 29, 30], 300, seed=5, extra=False),
    _case([200, 30, 50], 240, split="90,10,0"),
    _case([7, 7, 7, 7, 7, 7, 7], 120, extra=False),
]


def test_the_order_is_megatrons(tmp_path: Path) -> None:
    """One shard and several, one epoch and more, with the extra token and without, and a split: every sample is the sequence foretold."""
    for number, case in enumerate(CASES):
        case["prefixes"], begin = [], 0
        for shard, count in enumerate(case["counts"]):
            prefix = tmp_path / f"case-{number}-{shard}"
            tokens = np.repeat(np.arange(begin, begin + count, dtype=np.uint32)[:, None], CONTEXT, axis=1)
            with prefix.with_suffix(".bin").open("wb") as file:
                megatron.write_tokens(file, tokens)
            with prefix.with_suffix(".idx").open("wb") as file:
                megatron.write_index(file, count, CONTEXT)
            case["prefixes"].append(prefix.name)
            begin += count
    (tmp_path / "cases.json").write_text(json.dumps(CASES), "utf-8")
    found = run_with_loaders(_PROGRAM, str(tmp_path / "cases.json"))
    assert len(found) == len(CASES)
    for case, read in zip(CASES, found, strict=True):
        share = [float(part) for part in case["split"].split(",")]
        order = stage_order(
            case["counts"],
            context=CONTEXT,
            samples=case["samples"],
            seed=case["seed"],
            extra_token=case["extra_token"],
            train_share=share[0] / sum(share),
        )
        assert order.tolist() == read["first"], case
        assert read["tokens_alike"], case
        if not case["extra_token"]:  # the last token's label is Megatron's padding, and masked
            assert set(read["last_counts"]) == {0.0}, case
        else:
            assert set(read["last_counts"]) == {1.0}, case
