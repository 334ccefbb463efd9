"""Print what torch's DataLoader gets of a stage: steps with several ranks and workers, and after resuming."""

from __future__ import annotations

import json
import sys
from typing import Any

import torch
from torch.utils.data import DataLoader

from headwater.reader import Reader, open_stage
from headwater.reader.torch import StageDataset

BATCH, SEED = 6, 3


def _steps(folder: str, workers: int, rank: int, world_size: int, state: Any = None, **options: Any) -> list[Any]:
    stage = open_stage(folder)
    reader = Reader(stage, batch_size=BATCH, seed=SEED, rank=rank, world_size=world_size, epochs=2, state=state)
    dataset = StageDataset(reader, **options)
    return list(
        DataLoader(dataset, batch_size=None, num_workers=workers, multiprocessing_context="fork" if workers else None)
    )


def _numbers(steps: list[Any]) -> list[list[int]]:
    return [step["sequences"].tolist() for step in steps]


def _same(steps: list[Any], others: list[Any]) -> bool:
    names = ("tokens", "labels", "positions", "cu_seqlens")
    return len(steps) == len(others) and all(
        torch.equal(step[name], other[name]) for step, other in zip(steps, others, strict=True) for name in names
    )


def _worker_states(folder: str) -> list[list[int]]:
    """Return the steps of a dataset that was stopped after two, and went on from its state_dict in another object."""
    reader = Reader(open_stage(folder), batch_size=BATCH, seed=SEED, epochs=2)
    dataset = StageDataset(reader)
    steps = iter(dataset)
    taken = [next(steps), next(steps)]
    state = json.loads(json.dumps(dataset.state_dict()))
    again = StageDataset(reader)
    again.load_state_dict(state)
    assert again.state_dict() == state
    return _numbers([*taken, *again])


def main(folder: str) -> None:
    """Read the stage in every way."""
    torch.set_num_threads(1)
    masked = _steps(folder, 0, 0, 1, mask_across_documents=True, documents=True)
    first = masked[0]
    state = masked[1]["state"]
    dataset = StageDataset(Reader(open_stage(folder), batch_size=BATCH, seed=SEED, epochs=2))
    dataset.set_epoch(1)
    print(
        json.dumps(
            {
                "alone": _numbers(masked),
                "workers": {str(n): _numbers(_steps(folder, n, 0, 1)) for n in (1, 2, 3)},
                "ranks": [_numbers(_steps(folder, 2, rank, 3)) for rank in range(3)],
                "same": _same(masked, _steps(folder, 2, 0, 1, mask_across_documents=True)),
                "resumed": _numbers(_steps(folder, 3, 0, 1, state=state)),
                "worker_states": _worker_states(folder),
                "second_epoch": _numbers(list(dataset)),
                "types": {name: str(value.dtype) for name, value in first.items() if isinstance(value, torch.Tensor)},
                "tokens": first["tokens"].tolist(),
                "labels": first["labels"].tolist(),
                "cu_seqlens": first["cu_seqlens"].tolist(),
                "documents": first["documents"],
                "state": dict(first["state"]),
                "loss_is_finite": bool(
                    torch.isfinite(
                        torch.nn.functional.cross_entropy(
                            torch.zeros(first["labels"].numel(), 128), first["labels"].flatten()
                        )
                    )
                ),
            }
        )
    )


if __name__ == "__main__":
    main(sys.argv[1])
