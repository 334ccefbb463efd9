"""Annotate against the least that reading takes, each operator's share of it, and against datatrove."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from statistics import median

from bench.alternate import Seconds, Side, absent, alternate, compare, figures, significant, timed
from bench.documents import Document, share_out, take, text_array, write_files
from bench.families import APART, FAMILIES, Batch, measure, prepare, unmeasured
from bench.figures import Figures
from bench.kernels import count_words
from bench.operators import model_file
from bench.peers import PeerFailedError, Server
from headwater.filters.language import identify as language
from headwater.filters.scores.score import score, shipped_models

__all__ = ["LANGUAGES", "SCORES_AT_MOST", "against_datatrove", "against_reading", "choose", "known_languages"]

LANGUAGES = frozenset(
    "ar bn cs da de el en es fa fi fr he hi hu id it ja ko nl no pl pt ro ru sv th tr uk vi zh".split()
)
SCORES_AT_MOST = 0.25
"""Share of the pass that scoring may take."""
_MODEL = "score model "
_SAME_MEASURES = ("language", "signals", "scores", "minhash")
"""What datatrove is compared with; the rest of the pass has no counterpart there."""


def against_reading(documents: list[Document], repetitions: int) -> Figures:
    """Return the speed of the whole pass, tokens apart, its share of a kernel that only reads, and each operator's share of it."""
    prepared = prepare(documents)
    together = [family for family in FAMILIES if family != APART]
    sides = [
        Side(what=f"annotate: {', '.join(together)}", run=timed(lambda: measure(prepared, together))),
        Side(
            what="only decode the text and count words",
            run=timed(lambda: [count_words(batch.texts) for batch in prepared]),
        ),
        *(Side(what=family, run=_timed_family(prepared, family)) for family in FAMILIES),
        *(Side(what=f"{_MODEL}{name}", run=_timed_model(prepared, name)) for name in shipped_models()),
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
        "operators": {
            side.what: _operator(side, found, times[0], n_bytes)
            for side, found in zip(sides[2:], times[2:], strict=True)
            if not side.what.startswith(_MODEL)
        },
        "score_models": {
            side.what.removeprefix(_MODEL): _operator(side, found, times[0], n_bytes)
            for side, found in zip(sides[2:], times[2:], strict=True)
            if side.what.startswith(_MODEL)
        },
        "scores_at_most": SCORES_AT_MOST,
        "share": "of the processor time of the whole pass; tokens are apart, theirs is what they would add",
        "not_measured": dict.fromkeys(unmeasured(), "no entry in bench/families.py"),
    }


def _timed_family(prepared: list[Batch], family: str) -> Callable[[], Seconds]:
    return timed(lambda: measure(prepared, [family]))


def _timed_model(prepared: list[Batch], name: str) -> Callable[[], Seconds]:
    models = {name: shipped_models()[name]}
    return timed(lambda: [score(batch.signals, batch.languages, models, batch.texts) for batch in prepared])


def _operator(side: Side, own: list[Seconds], whole: list[Seconds], n_bytes: int) -> dict[str, float]:
    share = median(part.cpu / all_.cpu for part, all_ in zip(own, whole, strict=True))
    return {"mb_per_cpu_s": figures(side, own, n_bytes)["mb_per_cpu_s"], "share": round(share, 3)}


def known_languages(documents: list[Document]) -> dict[bytes, str]:
    """Return lid.176's label of each document whose label is one of the 30 languages, by the document's key."""
    labels = language.identify(text_array(documents), language.load_model())["lid_label"].to_pylist()
    return {document.key: label for document, label in zip(documents, labels, strict=True) if label in LANGUAGES}


def against_datatrove(
    chosen: list[Document],
    known: dict[bytes, str],
    python: Path | None,
    reason: str | None,
    spark: Server | None,
    folder: Path,
    repetitions: int,
) -> Figures:
    """Compare on documents whose language datatrove can split into words.

    Args:
        chosen: by `choose`.
        known: their languages, by `known_languages`.
        python: of datatrove's environment; None gives ratios of null with `reason`.
        spark: a `bench.spark_side` to compare with too.
        folder: for files.
    """
    if python is None:
        return absent(reason or "no environment for peers")
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


def choose(documents: list[Document], labels: dict[bytes, str], n_bytes: int) -> list[Document]:
    """Return about `n_bytes` of the documents that have a label, an even share of each label, by key."""
    groups = [
        [document for document in documents if labels.get(document.key) == label]
        for label in sorted(set(labels.values()))
    ]
    shares = share_out([sum(document.n_bytes for document in group) for group in groups], n_bytes)
    chosen = [document for group, share in zip(groups, shares, strict=True) for document in take(group, share)]
    return sorted(chosen, key=lambda document: document.key)


def _compare(chosen: list[Document], server: Server, spark: Server | None, folder: Path, repetitions: int) -> Figures:
    counts: Figures = {}

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
    prepared = prepare(chosen)
    own = Side(what="the operators in one process", run=timed(lambda: measure(prepared, _SAME_MEASURES)))
    every = Side(what="datatrove, every document through every step", run=lambda: ask("every"), details=details)
    drop = Side(
        what="datatrove, a dropped document skips the steps that follow", run=lambda: ask("drop"), details=details
    )
    n_bytes = sum(document.n_bytes for document in chosen)
    measure(prepared, _SAME_MEASURES)
    found: Figures = {"every_document": compare(own, every, n_bytes, repetitions)}
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
