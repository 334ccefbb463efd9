"""An n-gram model by KenLM's programs: interpolated modified Kneser-Ney over token ids, every id of the vocabulary possible.

Heafield et al. 2013, "Scalable Modified Kneser-Ney Language Model Estimation". A document is a line of ids; the probability of each id and of the
document's end is counted. ``--vocab_pad`` makes the model share out its rest over the whole vocabulary, so that an id that was never seen
costs what one of the unseen ids costs, and bits are those of a proper distribution.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from bench.ablation.tokens import Ids
from bench.peers import PeerFailedError

__all__ = ["build_kenlm", "judge"]

_TOTAL: Final = re.compile(r"^Total: (\S+) OOV: \d+$")
_BITS_A_DECADE: Final = 3.321928094887362  # log2 of 10
_MARKS: Final = 3  # <unk>, <s> and </s> count as words of KenLM's vocabulary
_TIMEOUT_S: Final = 1800


def build_kenlm(folder: Path, requirement: str) -> Path:
    """Return the folder of ``lmplz`` and ``query``; the first time, both are made from the source that the package index has.

    Needs cmake, a C++ compiler and Boost (on Debian ``libboost-program-options-dev libboost-thread-dev libboost-system-dev
    libboost-test-dev``).

    Args:
        folder: where to build.
        requirement: as pip takes it, with its version.

    Raises:
        PeerFailedError: a program is missing or failed; the message is the last line it wrote.
    """
    programs = folder / "build" / "bin"
    if all((programs / name).exists() for name in ("lmplz", "query")):
        return programs
    folder.mkdir(parents=True, exist_ok=True)
    download = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "-q",
        "--no-deps",
        "--no-build-isolation",
        "--no-binary",
        ":all:",
    ]
    _run([*download, "-d", str(folder), requirement])
    archive = next(folder.glob("kenlm-*.tar.gz"))
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")
    source = folder / archive.name.removesuffix(".tar.gz")
    _run(["cmake", "-S", str(source), "-B", str(folder / "build"), "-DCMAKE_BUILD_TYPE=Release"])
    _run(["cmake", "--build", str(folder / "build"), "--target", "lmplz", "query"])
    return programs


def judge(
    programs: Path, documents: Sequence[Ids], references: Mapping[str, Sequence[Ids]], *, order: int, n_ids: int
) -> dict[str, float]:
    """Return the bits that a model trained on `documents` needs for each reference text, ends of documents included.

    Raises:
        PeerFailedError: KenLM failed; the message is the last line it wrote.
    """
    with tempfile.TemporaryDirectory(prefix="headwater-kenlm-") as name:
        folder = Path(name)
        (folder / "train").write_text(_lines(documents))
        estimate = [str(programs / "lmplz"), "-o", str(order), "-S", "1G", "-T", str(folder / "temporary")]
        estimate += ["--vocab_pad", str(n_ids + _MARKS), "--discount_fallback"]
        _run([*estimate, "--text", str(folder / "train"), "--arpa", str(folder / "model")])
        said = _run(
            [str(programs / "query"), "-v", "sentence", str(folder / "model")],
            "".join(_lines(texts) for texts in references.values()),
        )
    totals = [float(match[1]) for line in said.splitlines() if (match := _TOTAL.match(line))]
    found: dict[str, float] = {}
    begin = 0
    for reference, texts in references.items():
        found[reference] = -sum(totals[begin : begin + len(texts)]) * _BITS_A_DECADE
        begin += len(texts)
    if begin != len(totals):
        raise PeerFailedError(f"query: expected {begin} totals, found {len(totals)}")
    return found


def _lines(documents: Sequence[Ids]) -> str:
    return "".join(" ".join(map(str, ids.tolist())) + "\n" for ids in documents)


def _run(command: Sequence[str], given: str | None = None) -> str:
    try:
        done = subprocess.run(command, input=given, capture_output=True, text=True, check=False, timeout=_TIMEOUT_S)
    except FileNotFoundError:
        raise PeerFailedError(f"{command[0]} is not installed") from None
    if done.returncode:
        raise PeerFailedError((done.stderr.strip().splitlines() or [f"{command[0]} failed"])[-1][:300])
    return done.stdout
