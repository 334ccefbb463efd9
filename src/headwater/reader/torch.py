"""A PyTorch ``IterableDataset`` of a reader's batches, split exactly over ranks and DataLoader workers; needs torch.

    from torch.utils.data import DataLoader
    from headwater.reader import Reader, open_stage
    from headwater.reader.torch import StageDataset

    reader = Reader(open_stage(folder), batch_size=64, seed=1, rank=rank, world_size=world_size)
    for batch in DataLoader(StageDataset(reader), batch_size=None, num_workers=4):
        loss = model(batch["tokens"], labels=batch["labels"])
        saved = batch["state"]        # Reader(…, state=saved) goes on after this step

``torch.utils.data.DataLoader`` takes one batch of each worker in turn, so worker w of W yields the steps w, w + W, … and the steps come in
order whatever W is.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from headwater.errors import MissingDependencyError, UsageError
from headwater.plain import JsonObject, ValuesByName
from headwater.reader.batches import Batch
from headwater.reader.loader import Reader

try:
    import torch
    from torch.utils.data import IterableDataset, get_worker_info
except ImportError:  # the module can be looked at without it
    torch, IterableDataset, get_worker_info = None, object, None

__all__ = ["StageDataset"]

_FORMAT: Final = 1

_Step: TypeAlias = dict[str, Any]  # Any: tensors, beside them a dictionary and a list


class StageDataset(IterableDataset):  # type: ignore[misc] # torch gives no types where they are checked
    """What a rank reads: one dictionary a step, for ``DataLoader(dataset, batch_size=None)``.

    ``tokens`` and ``labels`` (int64 [rows, context], -100 where there is none), ``sequences`` (int64 [rows], numbers in the stage), ``state``
    (a dictionary that `Reader` takes to go on after the step); as asked, ``positions`` and ``cu_seqlens``, and ``documents``, a list.

    ``state_dict`` and ``load_state_dict`` follow torchdata's ``StatefulDataLoader``, which keeps one state a worker and so goes on with
    the same number of workers; a batch's own ``state`` goes on with any.

    Args:
        reader: where to begin; it stays as it is, and each iteration begins there again.
        mask_across_documents: whether labels across documents are left out, and ``positions`` and ``cu_seqlens`` are given.
        documents: whether ``documents`` is given.

    Raises:
        MissingDependencyError: torch is not installed.
    """

    def __init__(self, reader: Reader, *, mask_across_documents: bool = False, documents: bool = False) -> None:
        if torch is None:
            raise MissingDependencyError(
                "expected PyTorch, found none; install torch (pip install 'headwater[torch]'), or iterate over headwater.reader.Reader itself"
            )
        super().__init__()
        self._reader = reader
        self._mask, self._documents = mask_across_documents, documents
        self._step = 0  # steps from the reader's place that this worker is past
        self._resumed: ValuesByName | None = None
        self._running = reader

    def set_epoch(self, epoch: int) -> None:
        """Begin the next iteration at the start of an epoch."""
        self._reader.load_state(self._reader.state() | {"epoch": epoch, "position": 0})

    def __iter__(self) -> Iterator[_Step]:
        """Return this worker's steps."""
        worker, workers = _worker()
        reader, self._step = copy.copy(self._reader), worker
        if self._resumed is not None:
            if self._resumed["workers"] != workers:
                raise UsageError(
                    f"expected {self._resumed['workers']} workers as when the state was saved, found {workers}; "
                    "a batch's own state goes on with any number"
                )
            reader.load_state(self._resumed["reader"])
            self._step, self._resumed = self._resumed["step"], None
        self._running = reader
        return self._from(reader, workers)

    def _from(self, reader: Reader, workers: int) -> Iterator[_Step]:
        for batch in reader.steps(first=self._step, every=workers):
            self._step += workers
            yield self._tensors(batch)

    def state_dict(self) -> JsonObject:
        """Return where this worker stands."""
        _, workers = _worker()
        if self._resumed is not None:
            return dict(self._resumed)
        return {"format": _FORMAT, "reader": self._running.state(), "step": self._step, "workers": workers}

    def load_state_dict(self, state: ValuesByName) -> None:
        """Begin the next iteration where a worker's ``state_dict`` says."""
        if state.get("format") != _FORMAT:
            raise UsageError(f"expected a dataset's state of format {_FORMAT}, found {state.get('format')}")
        self._resumed = dict(state)

    def _tensors(self, batch: Batch) -> _Step:
        arrays: dict[str, npt.NDArray[np.generic]] = {
            "tokens": batch.tokens.astype(np.int64),
            "labels": batch.labels(across_documents=not self._mask),
            "sequences": batch.sequences,
        }
        if self._mask:
            arrays |= {"positions": batch.positions(), "cu_seqlens": batch.cu_seqlens()}
        found: dict[str, object] = {name: torch.from_numpy(array) for name, array in arrays.items()}
        return found | {"state": dict(batch.state)} | ({"documents": batch.documents()} if self._documents else {})


def _worker() -> tuple[int, int]:
    info = get_worker_info()
    return (0, 1) if info is None else (info.id, info.num_workers)
