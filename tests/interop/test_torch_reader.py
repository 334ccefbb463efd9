"""torch's DataLoader around the reader: the same steps whatever the workers and ranks, resumed from any of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from loader_python import run_with_loaders
from stage_folder import write_folder

from headwater.reader import Reader, open_stage

pytestmark = pytest.mark.interop

_PROGRAM = Path(__file__).parent / "loaders" / "torch_reader.py"


def test_torch_gets_what_the_reader_gives(tmp_path: Path) -> None:
    """Steps, tensors and documents are the reader's with 0 to 3 workers and 1 to 3 ranks; resuming loses and repeats nothing."""
    folder = write_folder(tmp_path / "stage", (5, 1, 8, 7))
    found = run_with_loaders(_PROGRAM, str(folder.path))
    steps = list(Reader(open_stage(folder.path), batch_size=6, seed=3, epochs=2))
    expected = [step.sequences.tolist() for step in steps]
    assert sorted(number for step in expected for number in step) == sorted([*range(21)] * 2)
    assert found["alone"] == expected
    assert found["workers"] == {"1": expected, "2": expected, "3": expected}
    shares = zip(*found["ranks"], strict=True)
    assert [[number for part in parts for number in part] for parts in shares] == expected
    assert found["same"]
    assert found["resumed"] == expected[2:]
    assert found["worker_states"] == expected
    second = Reader(
        open_stage(folder.path),
        batch_size=6,
        seed=3,
        epochs=2,
        state=dict(steps[0].state) | {"epoch": 1, "position": 0},
    )
    assert found["second_epoch"] == [step.sequences.tolist() for step in second]
    first = steps[0]
    assert found["types"] == {
        "tokens": "torch.int64",
        "labels": "torch.int64",
        "sequences": "torch.int64",
        "positions": "torch.int64",
        "cu_seqlens": "torch.int32",
    }
    assert np.array_equal(found["tokens"], first.tokens)
    assert np.array_equal(found["labels"], first.labels(across_documents=False))
    assert found["cu_seqlens"] == first.cu_seqlens().tolist()
    assert found["documents"] == first.documents()
    assert found["state"] == first.state
    assert found["loss_is_finite"]
