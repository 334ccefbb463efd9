"""The reader: an endless or counted stream of batches in an order that any number of ranks shares, resumed exactly."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from headwater.errors import UsageError
from headwater.plain import JsonObject, ValuesByName
from headwater.reader.batches import Batch
from headwater.reader.order import sequences_at
from headwater.reader.stage import Stage

__all__ = ["Reader"]

FORMAT: Final = 1
LAST_STEPS: Final = ("short", "whole", "drop")
_AHEAD: Final = 4096
_LISTED: Final = 20


class Reader:
    """Batches of a stage; iterating goes on from where the last iteration stopped.

    The order is one list, epoch after epoch, the same for any number of ranks: step k of ``batch_size`` sequences is its places
    k * batch_size and following, of which rank r gets the r-th equal part. So every sequence comes once an epoch, whoever reads, and a run
    goes on with another number of ranks or another batch size from the same state. A step may end one epoch and begin the next.

    No rank ever gets an empty batch. Where `epochs` end before a step is full, ``last_step`` says what becomes of it: ``short``, what is left, in
    parts that are as equal as can be; ``whole``, filled with the beginning of the next epoch's order, so that all steps have one shape and a few
    sequences come once more; ``drop``, left out. A short step for fewer sequences than ranks is refused beforehand.

    Args:
        stage: from `open_stage`.
        batch_size: sequences of a step, all ranks together; a multiple of ``world_size``.
        seed: of the orders of the epochs.
        shuffle: whether each epoch has an order of its own; False: the stored one, shuffled when it was built, every time.
        rank: which of ``world_size`` readers this one is.
        world_size: how many there are.
        epochs: after how many the stream ends. None: never.
        last_step: ``short``, ``whole`` or ``drop``: what a step becomes that the end of the stream cuts.
        state: of an earlier reader, or of a batch.
        accept_revision: whether to go on from a state of a revision of the stage before this one, at the same epoch and position. Where the
            revision changed the number of sequences, the order is another one: in this epoch some sequences come twice, others not.

    Raises:
        UsageError: arguments out of range, a stage without sequences, a last step without a sequence for each rank, or a state of another
            stage, seed or order.
    """

    def __init__(
        self,
        stage: Stage,
        *,
        batch_size: int,
        seed: int = 0,
        shuffle: bool = True,
        rank: int = 0,
        world_size: int = 1,
        epochs: int | None = None,
        last_step: str = "short",
        state: ValuesByName | None = None,
        accept_revision: bool = False,
    ) -> None:
        if world_size < 1 or not 0 <= rank < world_size:
            raise UsageError(f"expected a rank from 0 to world_size - 1, found {rank} of {world_size}")
        if batch_size < 1 or batch_size % world_size:
            raise UsageError(
                f"expected a batch_size that {world_size} ranks share equally, found {batch_size}; it counts the sequences of all ranks"
            )
        if epochs is not None and epochs < 1:
            raise UsageError(f"expected at least 1 epoch, or None for no end, found {epochs}")
        if last_step not in LAST_STEPS:
            raise UsageError(f"expected a last_step of {', '.join(LAST_STEPS)}, found {last_step!r}")
        if len(stage) == 0:
            raise UsageError(f"expected sequences in {stage.uri}, found none")
        self.stage, self.batch_size, self.seed, self.shuffle = stage, batch_size, seed, shuffle
        self.rank, self.world_size, self.epochs, self.last_step = rank, world_size, epochs, last_step
        self._accept_revision = accept_revision
        self._next = 0  # place in the list of all epochs
        self._held = (-1, np.zeros(0, dtype=np.int64))
        if state is not None:
            self.load_state(state)
        else:
            self._check_last_step()

    def state(self) -> JsonObject:
        """Return where the reader stands, as JSON: what identifies its order, the epoch, and the position in it over all ranks."""
        return self.state_at(self._next)

    def state_at(self, place: int) -> JsonObject:
        """Return the state of a reader that stands at a place of the list of all epochs."""
        epoch, position = divmod(place, len(self.stage))
        order = {"stage": self.stage.fingerprint, "seed": self.seed, "shuffle": self.shuffle}
        return {"format": FORMAT, **order, "epoch": epoch, "position": position}

    def load_state(self, state: ValuesByName) -> None:
        """Go on from a state that `state` or a batch gave.

        Raises:
            UsageError: it is of another format, stage, seed or order, of an earlier revision of the stage that was not accepted, or leaves a last
                step without a sequence for each rank.
        """
        if state.get("format") != FORMAT:
            raise UsageError(f"expected a reader's state of format {FORMAT}, found format {state.get('format')}")
        mine = self.state()
        epoch, position = state.get("epoch"), state.get("position")
        if state.get("stage") != mine["stage"]:
            earlier = self._check_revision(str(state.get("stage")))
            if isinstance(epoch, int) and isinstance(position, int) and len(self.stage) <= position < earlier:
                epoch, position = (
                    epoch + 1,
                    0,
                )  # the epoch has fewer sequences now, and the state stands behind its last
        for name in ("seed", "shuffle"):
            if state.get(name) != mine[name]:
                raise UsageError(f"expected a state of {name} {mine[name]}, found {state.get(name)}")
        if (
            not isinstance(epoch, int)
            or not isinstance(position, int)
            or epoch < 0
            or not 0 <= position < len(self.stage)
        ):
            raise UsageError(
                f"expected a position of 0 to {len(self.stage) - 1} in an epoch, found {position} in {epoch}"
            )
        self._next = epoch * len(self.stage) + position
        self._check_last_step()

    def _check_revision(self, fingerprint: str) -> int:
        """Refuse the state of another stage, and unless it is accepted that of an earlier revision; return how many sequences that one had."""
        manifest = self.stage.manifest
        place = next((n for n, each in enumerate(manifest.revisions) if each.replaces == fingerprint), None)
        if place is None:
            raise UsageError(f"expected a state of stage {self.stage.fingerprint}, found {fingerprint}")
        earlier = manifest.revisions[place].sequences
        if not self._accept_revision:
            shards = manifest.shards_since(fingerprint) or ()
            n = len(self.stage)
            listed = ", ".join(map(str, shards[:_LISTED])) + (
                f" and {len(shards) - _LISTED} more" if len(shards) > _LISTED else ""
            )
            raise UsageError(
                f"expected a state of revision {manifest.revision} of stage {manifest.stage}, found one of revision {place}: since then shards "
                f"{listed} were packed again, of other documents, and the stage has {n} sequences in place of {earlier}. Begin again, or go on "
                "at the same place with accept_revision=True"
            )
        return earlier

    def __iter__(self) -> Self:
        """Return the reader itself."""
        return self

    def __next__(self) -> Batch:
        """Return this rank's part of the next step."""
        if self._ended(self._next):
            raise StopIteration
        batch = self.batch_at(self._next)
        self._next = self._after(self._next)
        return batch

    def steps(self, *, first: int = 0, every: int = 1) -> Iterator[Batch]:
        """Yield this rank's part of step ``first`` from here and of every ``every``-th after it, for one of several workers.

        The reader itself stays where it is.
        """
        place = self._next + first * self.batch_size
        while not self._ended(place):
            yield self.batch_at(place)
            place += every * self.batch_size

    def batch_at(self, place: int) -> Batch:
        """Return this rank's part of the step that begins at a place of the list of all epochs."""
        size = self._size(place)
        begin, end = (size * rank // self.world_size for rank in (self.rank, self.rank + 1))
        sequences = self.order(place + begin, end - begin)
        tokens, runs = self.stage.gather(sequences)
        shards, numbers = self.stage.locate(sequences)
        epoch, position = divmod(place, len(self.stage))
        return Batch(
            tokens=tokens,
            runs=runs,
            sequences=sequences,
            shards=shards,
            shard_sequences=numbers,
            epoch=epoch,
            position=position,
            state=self.state_at(self._after(place)),
        )

    def order(self, place: int, n: int) -> npt.NDArray[np.int64]:
        """Return the stage's sequences at some places of the list of all epochs, int64, whether or not the stream ends before."""
        end = place + n
        found = []
        while place < end:
            number, begin = divmod(place, _AHEAD)
            take = min(end - place, _AHEAD - begin)
            found.append(self._block(number)[begin : begin + take])
            place += take
        return np.concatenate(found) if found else np.zeros(0, dtype=np.int64)

    def _block(self, number: int) -> npt.NDArray[np.int64]:
        """Return `_AHEAD` places of the list at once, which costs little more than a few; the last ones are kept."""
        if self._held[0] != number:
            length, found = len(self.stage), []
            place, end = number * _AHEAD, (number + 1) * _AHEAD
            while place < end:
                epoch, position = divmod(place, length)
                take = min(end - place, length - position)
                places = np.arange(position, position + take, dtype=np.int64)
                found.append(sequences_at(places, length, seed=self.seed, epoch=epoch) if self.shuffle else places)
                place += take
            self._held = (number, np.concatenate(found))
        return self._held[1]

    def _size(self, place: int) -> int:
        """Return how many sequences the step has that begins at a place, all ranks together."""
        if self.epochs is None or self.last_step == "whole":
            return self.batch_size
        return min(self.batch_size, self.epochs * len(self.stage) - place)

    def _after(self, place: int) -> int:
        after = place + self.batch_size
        return after if self.epochs is None else min(after, self.epochs * len(self.stage))

    def _ended(self, place: int) -> bool:
        needed = self.batch_size if self.last_step == "drop" else 1
        return self.epochs is not None and place + needed > self.epochs * len(self.stage)

    def _check_last_step(self) -> None:
        if self.epochs is None or self.last_step != "short":
            return
        left = max(0, self.epochs * len(self.stage) - self._next) % self.batch_size
        if 0 < left < self.world_size:
            raise UsageError(
                f"expected a sequence for each of {self.world_size} ranks in the last step, found {left} left after whole steps of "
                f"{self.batch_size}; give last_step: whole fills it with the beginning of the next epoch, drop leaves it out"
            )
