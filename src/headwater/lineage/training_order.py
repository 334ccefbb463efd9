"""The order in which a training run takes the sequences of a stage: which come in some steps, and in which steps some come."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from headwater.arrays import Int64s
from headwater.errors import UsageError
from headwater.lineage.training_steps import train_share
from headwater.plain import JsonObject
from headwater.reader import Reader, Stage
from headwater.reader.megatron_order import stage_order
from headwater.reader.order import places_of

__all__ = ["MEGATRON_SEED", "TrainingOrder", "ranges_of"]

MEGATRON_SEED: Final = 1234
_MOST_RANGES: Final = 1000


def ranges_of(numbers: Int64s) -> JsonObject:
    """Return the ranges of neighbours among ascending numbers, each its first and its last, the first thousand, and how many more there are.

    >>> ranges_of(np.array([3, 4, 5, 9]))
    {'ranges': [[3, 5], [9, 9]], 'ranges_left_out': 0}
    """
    begins = numbers[np.diff(numbers, prepend=-2) > 1]
    ends = numbers[np.diff(numbers, append=numbers[-1:] + 2) > 1]
    ranges = np.stack([begins, ends], axis=1)[:_MOST_RANGES].tolist()
    return {"ranges": ranges, "ranges_left_out": len(begins) - len(ranges)}


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingOrder:
    """How a training run was set up, as ``headwater steps`` takes it.

    Attributes:
        batch_size: sequences a step, all ranks together.
        trainer: ``reader`` or ``megatron``.
        seed: by default that of the trainer.
        shuffle: whether the reader had an order for each epoch.
        epochs: of the reader: how many are looked at.
        samples: of Megatron: iterations times the global batch size.
        extra_token: of Megatron: ``add_extra_token_to_sequence``.
        split: of Megatron: its ``--split``.
    """

    batch_size: int
    trainer: str = "reader"
    seed: int | None = None
    shuffle: bool = True
    epochs: int = 1
    samples: int | None = None
    extra_token: bool = True
    split: str = "1,0,0"

    def __post_init__(self) -> None:
        """Refuse what no training run has."""
        if self.batch_size < 1 or self.epochs < 1:
            raise UsageError(
                f"expected at least 1 sequence a step and 1 epoch, found {self.batch_size} and {self.epochs}"
            )
        if self.trainer not in ("reader", "megatron"):
            raise UsageError(f"expected a trainer of reader or megatron, found {self.trainer!r}")
        if self.trainer == "megatron" and self.samples is None:
            raise UsageError(
                "expected the number of training samples that Megatron is asked for, found none; give --train-samples N"
            )

    def length(self, stage: Stage) -> int:
        """Return how many sequences are taken of a stage in all."""
        return len(stage) * self.epochs if self.samples is None else self.samples

    def steps(self, stage: Stage) -> int:
        """Return the number of steps, the last of which may be short."""
        return -(-self.length(stage) // self.batch_size)

    def sequences(self, stage: Stage, first: int, last: int) -> Int64s:
        """Return the stage's sequences of steps ``first`` to ``last``, in the order in which they are taken.

        Raises:
            UsageError: there are no such steps.
        """
        steps = self.steps(stage)
        if not 0 <= first <= last < steps:
            raise UsageError(f"expected a first and a last step from 0 to {steps - 1}, found {first} and {last}")
        begin, end = first * self.batch_size, min((last + 1) * self.batch_size, self.length(stage))
        if self.trainer == "megatron":
            return self._megatron(stage)[begin:end]
        reader = Reader(stage, batch_size=self.batch_size, seed=self.seed or 0, shuffle=self.shuffle)
        return reader.order(begin, end - begin)

    def places(self, stage: Stage, sequences: Int64s) -> Int64s:
        """Return the places of all epochs' list at which some sequences are taken, ascending."""
        if self.trainer == "megatron":
            wanted = np.zeros(len(stage), np.bool_)
            wanted[sequences] = True
            return np.flatnonzero(wanted[self._megatron(stage)])
        n, seed = len(stage), self.seed or 0
        found = [
            epoch * n + np.sort(places_of(sequences, n, seed=seed, epoch=epoch) if self.shuffle else sequences)
            for epoch in range(self.epochs)
        ]
        return np.concatenate(found)

    def touched(self, stage: Stage, sequences: Int64s) -> JsonObject:
        """Return in which steps some sequences are taken: first, last, how many of how many, and the ranges of neighbours."""
        steps = np.unique(self.places(stage, sequences) // self.batch_size)
        total = self.steps(stage)
        return {
            "first": int(steps[0]) if len(steps) else None,
            "last": int(steps[-1]) if len(steps) else None,
            "touched": len(steps),
            "of": total,
            "share": len(steps) / total if total else 0.0,
            **ranges_of(steps),
        }

    def _megatron(self, stage: Stage) -> Int64s:
        return stage_order(
            [shard.sequences for shard in stage.manifest.shards],
            context=stage.manifest.context,
            samples=self.samples or 0,
            seed=MEGATRON_SEED if self.seed is None else self.seed,
            extra_token=self.extra_token,
            train_share=train_share(self.split),
        )
