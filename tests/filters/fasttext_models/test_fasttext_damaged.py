"""Damaged and cut fastText files: refused as bad input, or read as another sound model; never a crash."""

from __future__ import annotations

import random
import struct
from pathlib import Path
from typing import Any

import fasttext
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headwater.errors import BadInputError, MissingDependencyError
from headwater.filters.fasttext.model import FastTextModel, read_model
from headwater.filters.fasttext.predict import predict, predict_all, prepare

HEADER_BYTES = 8 + 12 * 4 + 8
TEXT = "abc </s> w1 w2 aé w3 漢字 __label__1 bcdaa".encode()


def _make(folder: Path, **quantising: Any) -> bytes:
    draw = random.Random(3)
    path = folder / "train.txt"
    lines = [
        f"__label__{i % 5} w{i % 7} {''.join(draw.choices('abcdé漢', k=5))} {''.join(draw.choices('abc', k=3))}\n"
        for i in range(400)
    ]
    path.write_text("".join(lines))
    trained = fasttext.train_supervised(
        str(path), dim=5, epoch=1, bucket=97, minn=2, maxn=3, wordNgrams=2, thread=1, verbose=0, loss="hs"
    )
    if quantising:
        trained.quantize(input=str(path), thread=1, verbose=0, **quantising)
    trained.save_model(str(folder / "model"))
    return (folder / "model").read_bytes()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """A dense model, and one quantised and pruned."""
    return {
        "dense": _make(tmp_path_factory.mktemp("dense")),
        "quantised": _make(tmp_path_factory.mktemp("quantised"), cutoff=260, qnorm=True),
    }


def _try(path: Path, content: bytes) -> FastTextModel | None:
    """The model, None if it was refused; what is read can be run, and gives finite numbers or none at all."""
    path.write_bytes(content)
    try:
        model = read_model(path)
    except BadInputError:
        return None
    kernel = prepare(model)
    data = np.frombuffer(TEXT, dtype=np.uint8)
    windows = np.array([[0, len(data), len(data), len(data), len(data), len(data)], [8, len(data), 0, 0, 0, 0]])
    labels, probabilities = predict(data, windows, kernel)
    assert ((labels >= -1) & (labels < len(model.labels))).all()
    assert np.isfinite(probabilities).all()
    assert np.isfinite(predict_all(data, windows, kernel)).all()
    return model


@pytest.mark.parametrize("kind", ["dense", "quantised"])
def test_fasttext_cut_files(kind: str, files: dict[str, bytes], tmp_path: Path) -> None:
    """A file cut anywhere, or with something after its end, is refused; the whole one is read."""
    content = files[kind]
    assert _try(tmp_path / "model", content) is not None
    places = [*range(HEADER_BYTES + 200), *range(HEADER_BYTES + 200, len(content), 97), len(content) - 1]
    for place in places:
        assert _try(tmp_path / "model", content[:place]) is None
    assert _try(tmp_path / "model", content + b"\0") is None


@pytest.mark.parametrize("kind", ["dense", "quantised"])
def test_fasttext_header_fields(kind: str, files: dict[str, bytes], tmp_path: Path) -> None:
    """Each number of the header set to extremes is refused or gives a model that runs."""
    content = files[kind]
    counts = [(at, "<i") for at in (*range(0, 56, 4), 64, 68, 72)] + [(at, "<q") for at in (76, 84)]
    for at, layout in counts:
        width = struct.calcsize(layout)
        for value in (-1, 0, 1, 2, 5, 64, 65, 1 << 20, (1 << 31) - 1, -(1 << 31)):
            changed = content[:at] + struct.pack(layout, value) + content[at + width :]
            _try(tmp_path / "model", changed)


@pytest.mark.parametrize(
    "at, value",
    [
        (0, 1),
        (4, 13),
        (4, 10),
        (8, 0),
        (8, 6),
        (32, 0),
        (32, 5),
        (36, 2),
        (40, -1),
        (44, 33),
        (48, 33),
        (64, 1),
        (68, -1),
        (72, 0),
    ],
)
def test_fasttext_refused_header(at: int, value: int, files: dict[str, bytes], tmp_path: Path) -> None:
    """Another magic, version, dimension, loss, kind, bucket or length of n-grams, or counts that do not add up, are refused."""
    content = files["dense"]
    assert _try(tmp_path / "model", content[:at] + struct.pack("<i", value) + content[at + 4 :]) is None


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kind=st.sampled_from(["dense", "quantised"]),
    changes=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=4),
)
def test_fasttext_flipped_bytes(
    kind: str, changes: list[tuple[float, int]], files: dict[str, bytes], tmp_path: Path
) -> None:
    """A file with some bytes changed is refused or gives a model that runs."""
    content = bytearray(files[kind])
    for place, value in changes:
        content[int(place * len(content))] = value
    _try(tmp_path / "model", bytes(content))


def test_fasttext_missing_file(tmp_path: Path) -> None:
    """A path without a file is a missing dependency, which names the path."""
    with pytest.raises(MissingDependencyError, match="nowhere"):
        read_model(tmp_path / "nowhere")


def test_fasttext_reason(tmp_path: Path) -> None:
    """A file of something else carries the reason that quarantine records."""
    (tmp_path / "model").write_bytes(b"no model")
    with pytest.raises(BadInputError, match="magic") as caught:
        read_model(tmp_path / "model")
    assert caught.value.reason == "bad_model"


def test_a_small_file_unpacks_to_no_gigabytes(files: dict[str, bytes], tmp_path: Path) -> None:
    """Codes that name parts of many columns, and buckets before pruning, are refused before anything is made of their size."""
    path = tmp_path / "model"
    header = bytearray(files["quantised"])
    struct.pack_into("<i", header, 8 + 8 * 4, 1 << 28)
    path.write_bytes(header)
    with pytest.raises(BadInputError, match="buckets before pruning, more than"):
        read_model(path)
    # 8 MB of codes of one part each, of 64 columns: 2 GB of rows.
    dim, rows = 64, 8_000_000
    head = struct.pack("<2i12id", 793712314, 12, dim, 5, 1, 1, 5, 1, 3, 3, 0, 0, 0, 100, 0.0)
    head += struct.pack("<3i2q", 1, 0, 1, 0, -1) + b"__label__a\0" + struct.pack("<qb", 1, 1)
    matrix = struct.pack("<?2qi", False, rows, dim, rows) + bytes(rows) + struct.pack("<4i", dim, 1, dim, dim)
    path.write_bytes(head + b"\1" + matrix + bytes(4 * 256 * dim))
    with pytest.raises(BadInputError, match="a product quantiser of 1 parts"):
        read_model(path)
    part = 16
    matrix = struct.pack("<?2qi", False, rows // 4, dim, rows) + bytes(rows) + struct.pack("<4i", dim, 4, part, part)
    path.write_bytes(head + b"\1" + matrix + bytes(4 * 256 * dim))
    with pytest.raises(BadInputError, match=r"a matrix of 568,000,000 bytes from codes in a file of 8,065,\d+"):
        read_model(path)
