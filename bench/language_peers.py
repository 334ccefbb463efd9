"""Language identification against fastText's packages: lid.176 alone, which is the same work, and the whole of ``identify``."""

from __future__ import annotations

import importlib.metadata
import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from bench.alternate import Seconds, Side, absent, compare, timed
from bench.annotate_peers import Peer
from bench.documents import REPOSITORY, Document, text_array
from bench.figures import Figures
from bench.operators import model_file
from bench.peers import PeerFailedError, Server, peer_python
from headwater.buffers import text_buffers
from headwater.filters.fasttext.model import read_model
from headwater.filters.fasttext.predict import predict, prepare
from headwater.filters.language import identify as language
from headwater.filters.language.windows import whole_documents

__all__ = ["language_against_fasttext"]

_BATCH = 1000
_OTHERS = Peer(name="fasttext")
_COMMUNITY = "fasttext-community"


def language_against_fasttext(documents: list[Document], repetitions: int, folder: Path, *, install: bool) -> Figures:
    """Compare on whole documents, as lid.176 reads them in Headwater too.

    Returns:
        `lid_176_alone` and `identify` against each package, the fastest of them by its own speed, and the share of equal labels.
    """
    texts = text_array(documents)
    n_bytes = sum(document.n_bytes for document in documents)
    model = language.load_model()
    file = read_model(model_file())
    kernel = prepare(file)

    def alone() -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
        data, offsets = text_buffers(texts)
        return predict(data, whole_documents(offsets), kernel)

    ours = [
        Side(what="lid.176 alone: label and score of every document", run=timed(alone)),
        Side(
            what="headwater.filters.language.identify.identify, all its columns",
            run=timed(lambda: _identify(texts, model)),
        ),
    ]
    alone()  # compiles
    _identify(texts, model)
    labels = np.array([*file.labels, None], dtype=object)[alone()[0]].tolist()
    found: Figures = {}
    same: float | None = None
    try:
        community, same = _community(documents, labels)
    except ImportError:
        found[_COMMUNITY] = absent("fasttext-community is not installed: scripts/setup.sh dev")
    else:
        found[_COMMUNITY] = _both(ours, community, n_bytes, repetitions)
    found |= _others(documents, ours, n_bytes, folder, repetitions, install=install)
    return _summary(found) | {"same_labels_as_community": same, "packages": found}


def _identify(texts: pa.LargeStringArray, model: language.LanguageModel) -> list[str | None]:
    found: list[str | None] = language.identify(texts, model)["lid_label"].to_pylist()
    return found


def _community(documents: list[Document], labels: list[str | None]) -> tuple[Side, float]:
    """Return the side of the package that this environment has, and how often it says the same as `labels`."""
    import fasttext

    lines = [document.text.replace("\n", " ") for document in documents]
    peer = fasttext.load_model(str(model_file()))

    def theirs() -> list[str | None]:
        found: list[str | None] = []
        for begin in range(0, len(lines), _BATCH):
            found += [
                names[0].removeprefix("__label__") if names else None
                for names in peer.predict(lines[begin : begin + _BATCH])[0]
            ]
        return found

    same = float(np.mean([own == other for own, other in zip(labels, theirs(), strict=True)]))
    details = {
        "version": f"{_COMMUNITY} {importlib.metadata.version(_COMMUNITY)}",
        "command": f"load_model('lid.176.ftz').predict(list of {_BATCH} texts, line feeds replaced before the clock starts)",
    }
    return Side(what=_COMMUNITY, run=timed(theirs), details=details), same


def _others(
    documents: list[Document], ours: list[Side], n_bytes: int, folder: Path, repetitions: int, *, install: bool
) -> Figures:
    python, reason = peer_python(REPOSITORY / f".venv-peers-{_OTHERS.name}", _OTHERS.requirements, install=install)
    if python is None:
        return {"others": absent(reason or "no environment")}
    file = folder / "fasttext.jsonl"
    file.write_text("".join(json.dumps({"text": document.text}) + "\n" for document in documents))
    command = [str(python), "-m", _OTHERS.module, str(file), str(model_file()), str(folder)]
    found: Figures = {}
    try:
        with Server(command, {"PYTHONPATH": str(REPOSITORY), "PYTHONDONTWRITEBYTECODE": "1"}) as server:
            for package in server.greeting["families"]:

                def ask(package: str = package) -> Seconds:
                    answer = server.ask(package)
                    return Seconds(cpu=answer["cpu"], wall=answer["wall"])

                details = {
                    "version": f"{package} {server.greeting['version'][package]}",
                    "command": f".venv-peers-{_OTHERS.name}/bin/python -m {_OTHERS.module} DOCUMENTS lid.176.ftz FOLDER",
                }
                found[package] = _both(ours, Side(what=package, run=ask, details=details), n_bytes, repetitions)
            return found | {name: absent(why) for name, why in server.greeting["left_out"].items()}
    except PeerFailedError as error:
        return found | {"others": absent(f"ended early: {error}")}


def _both(ours: list[Side], peer: Side, n_bytes: int, repetitions: int) -> Figures:
    alone, whole = (compare(side, peer, n_bytes, repetitions) for side in ours)
    return {"ratio": alone["ratio"], "reason": None, "lid_176_alone": alone, "identify": whole}


def _summary(found: Figures) -> Figures:
    """Return the ratios to the package that is the fastest by its own speed.

    >>> def part(speed): return {"lid_176_alone": {"ratio": 9 / speed, "peer": {"mb_per_cpu_s": speed}}, "identify": {"ratio": 6 / speed}}
    >>> _summary({"a": part(1.0), "b": part(3.0), "c": {"ratio": None, "reason": "none"}})
    {'fastest': 'b', 'ratio': 3.0, 'identify_ratio': 2.0, 'reason': None}
    """
    present = {name: part for name, part in found.items() if "identify" in part}
    if not present:
        return {"fastest": None, "identify_ratio": None} | absent("no fastText package ran")
    name = max(present, key=lambda name: float(present[name]["lid_176_alone"]["peer"]["mb_per_cpu_s"]))
    part = present[name]
    return {
        "fastest": name,
        "ratio": part["lid_176_alone"]["ratio"],
        "identify_ratio": part["identify"]["ratio"],
        "reason": None,
    }
