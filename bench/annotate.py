"""Annotate (language, signals, scores, MinHash) against the least that reading takes, and against datatrove."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import median
from typing import Any

import pyarrow as pa

from bench.alternate import Seconds, Side, absent, alternate, compare, figures, significant, timed
from bench.documents import Document, share_out, take, text_array, write_files
from bench.kernels import count_words
from bench.operators import batches, model_file
from bench.peers import PeerFailedError, Server
from headwater.filters import language, minhash, scores, signals

__all__ = ["LANGUAGES", "against_datatrove", "against_reading", "annotate_batches"]

LANGUAGES = frozenset(
    "ar bn cs da de el en es fa fi fr he hi hu id it ja ko nl no pl pt ro ru sv th tr uk vi zh".split()
)
_BATCH_BYTES = 16 << 20  # as headwater.pipelines.annotate


def annotate_batches(texts: list[pa.LargeStringArray]) -> None:
    """Call what the pipeline's annotate step calls, tokens and spans apart."""
    model = language.load_model()
    for batch in texts:
        languages = language.identify(batch, model)["language"]
        scores.score(signals.measure_signals(batch, languages), languages)
        minhash.measure_minhash(batch)


def against_reading(documents: list[Document], repetitions: int) -> dict[str, Any]:
    """Return what part of the speed of a kernel that only reads text annotate has, and the speed of each operator."""
    texts = batches(documents, _BATCH_BYTES)
    model = language.load_model()
    languages = [language.identify(batch, model)["language"] for batch in texts]
    measured = [signals.measure_signals(batch, names) for batch, names in zip(texts, languages, strict=True)]
    sides = [
        Side(what="annotate", run=timed(lambda: annotate_batches(texts))),
        Side(what="only decode the text and count words", run=timed(lambda: [count_words(batch) for batch in texts])),
        Side(what="language", run=timed(lambda: [language.identify(batch, model) for batch in texts])),
        Side(
            what="signals",
            run=timed(lambda: [signals.measure_signals(*pair) for pair in zip(texts, languages, strict=True)]),
        ),
        Side(what="scores", run=timed(lambda: [scores.score(*pair) for pair in zip(measured, languages, strict=True)])),
        Side(what="minhash", run=timed(lambda: [minhash.measure_minhash(batch) for batch in texts])),
    ]
    alternate(sides, 1)  # compiles
    times = alternate(sides, repetitions)
    n_bytes = sum(document.n_bytes for document in documents)
    shares = [reading.cpu / own.cpu for own, reading in zip(times[0], times[1], strict=True)]
    return {
        "share_of_reading": significant(median(shares)),
        "megabytes": significant(n_bytes / 1e6),
        "annotate": figures(sides[0], times[0], n_bytes),
        "reading": figures(sides[1], times[1], n_bytes),
        "operators_mb_per_cpu_s": {
            side.what: figures(side, found, n_bytes)["mb_per_cpu_s"]
            for side, found in zip(sides[2:], times[2:], strict=True)
        },
    }


def against_datatrove(
    documents: list[Document],
    n_bytes: int,
    python: Path | None,
    reason: str | None,
    spark: Server | None,
    folder: Path,
    repetitions: int,
) -> dict[str, Any]:
    """Compare on the documents whose language datatrove can split into words.

    Args:
        n_bytes: how much text; datatrove takes seconds for a megabyte.
        python: of datatrove's environment; None gives ratios of null with `reason`.
        spark: a `bench.spark_side` to compare with too.
        folder: for files.
    """
    if python is None:
        return absent(reason or "no environment for peers")
    labels = language.identify(text_array(documents), language.load_model())["lid_label"].to_pylist()
    known = {document.key: label for document, label in zip(documents, labels, strict=True) if label in LANGUAGES}
    chosen = _take_evenly(documents, known, n_bytes)
    file = folder / "datatrove.jsonl"
    file.write_text(
        "".join(json.dumps({"text": document.text, "language": known[document.key]}) + "\n" for document in chosen)
    )
    script = Path(__file__).with_name("datatrove_peer.py")
    environment = {"HF_HUB_OFFLINE": "1", "PYTHONPATH": ""}
    try:
        with Server([str(python), str(script), str(file), str(model_file()), str(folder)], environment) as server:
            return _compare(chosen, server, spark, folder, repetitions)
    except PeerFailedError as error:
        return absent(f"datatrove ended early: {error}")


def _take_evenly(documents: list[Document], labels: dict[bytes, str], n_bytes: int) -> list[Document]:
    """Return about `n_bytes` of the documents that have a label, an even share of each label, by key."""
    groups = [
        [document for document in documents if labels.get(document.key) == label]
        for label in sorted(set(labels.values()))
    ]
    shares = share_out([sum(document.n_bytes for document in group) for group in groups], n_bytes)
    chosen = [document for group, share in zip(groups, shares, strict=True) for document in take(group, share)]
    return sorted(chosen, key=lambda document: document.key)


def _compare(
    chosen: list[Document], server: Server, spark: Server | None, folder: Path, repetitions: int
) -> dict[str, Any]:
    counts: dict[str, Any] = {}

    def ask(mode: str) -> Seconds:
        answer = server.ask(mode)
        counts[mode] = {name: answer[name] for name in answer if name not in {"cpu", "wall"}}
        return Seconds(cpu=answer["cpu"], wall=answer["wall"])

    details = {
        "version": f"datatrove {server.greeting['version']}",
        "command": ".venv-peers/bin/python bench/datatrove_peer.py DOCUMENTS lid.176.ftz FOLDER",
        "settings": "LanguageFilter, GopherRepetitionFilter, GopherQualityFilter, FineWebQualityFilter, MinhashDedupSignature(sha1 64 bits, "
        "5-grams, 14 x 8), each with the word splitter that datatrove assigns to the language; its model lid.176.bin replaced by lid.176.ftz",
    }
    texts = batches(chosen, _BATCH_BYTES)
    own = Side(what="the operators in one process", run=timed(lambda: annotate_batches(texts)))
    every = Side(what="datatrove, every document through every step", run=lambda: ask("every"), details=details)
    drop = Side(
        what="datatrove, a dropped document skips the steps that follow", run=lambda: ask("drop"), details=details
    )
    n_bytes = sum(document.n_bytes for document in chosen)
    annotate_batches(texts)
    found: dict[str, Any] = {"every_document": compare(own, every, n_bytes, repetitions)}
    found["when_datatrove_drops"] = compare(own, drop, n_bytes, repetitions)
    if spark is not None:
        write_files(chosen, folder / "annotate")

        def step() -> Seconds:
            answer = spark.ask(f"annotate {folder / 'annotate'}")
            return Seconds(cpu=answer["cpu"], wall=answer["wall"])

        real = Side(
            what="the annotate step under Spark local[1], tokens, spans, reading and writing the lake included; all processes",
            run=step,
        )
        try:
            step()
            found["every_document_through_spark"] = compare(real, every, n_bytes, repetitions)
        except PeerFailedError as error:
            found["every_document_through_spark"] = absent(f"Spark's side or datatrove's ended early: {error}")
    return {
        "ratio": found["every_document"]["ratio"],
        "reason": None,
        "documents": len(chosen),
        "languages": server.greeting["languages"],
        "counts": counts,
        **found,
    }
