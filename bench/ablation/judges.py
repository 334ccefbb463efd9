"""The models that judge the choices: what is asked of each, and what WORK remembers of it."""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from bench.ablation.arms import Choice
from bench.ablation.documents import Document
from bench.ablation.kenlm import build_kenlm, judge
from bench.ablation.report import summary
from bench.ablation.tokens import Ids
from bench.documents import REPOSITORY
from bench.figures import Figures
from bench.peers import PeerFailedError, Server, peer_python

__all__ = ["Material", "judge_by_ngram", "judge_by_transformer", "say"]

KENLM: Final = "kenlm==0.3.0"
_LOG2_E: Final = 1.4426950408889634
_Judge = Callable[[list[Ids], int], dict[str, float]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Material:
    """What every model reads.

    Attributes:
        ids: of each document of the pool.
        texts: ids of each document by name of the reference text; `references` the same as documents.
        classes: by name of the reference text.
    """

    ids: list[Ids]
    texts: dict[str, list[Ids]]
    references: dict[str, list[Document]]
    classes: dict[str, str]


def judge_by_ngram(options: argparse.Namespace, choices: dict[str, list[Choice]], material: Material) -> Figures:
    """Train and judge an n-gram model on every choice."""
    programs = options.kenlm or build_kenlm(options.work / "kenlm", KENLM)

    def run(documents: list[Ids], seed: int) -> dict[str, float]:
        return judge(programs, documents, material.texts, order=options.order, n_ids=options.vocabulary)

    arms = [arm for arm in options.arms.split(",") if arm in choices]
    settings = {"model": KENLM, "order": options.order, "n_ids": options.vocabulary}
    n_bytes = {name: sum(document.n_bytes for document in documents) for name, documents in material.references.items()}
    losses = _losses(options, settings, arms, options.seeds, choices, material.ids, material.texts, n_bytes, run)
    return {"arms": arms, "settings": settings} | summary(losses, material.classes)


def judge_by_transformer(options: argparse.Namespace, choices: dict[str, list[Choice]], material: Material) -> Figures:
    """Train and judge a small transformer on the first tokens of some choices, by the first documents of each reference text."""
    requirements = REPOSITORY / "bench" / "requirements-peers-ablation.txt"
    python, reason = peer_python(
        options.environments / ".venv-peers-ablation", requirements, install=not options.no_install
    )
    if python is None:
        raise PeerFailedError(str(reason))
    settings = {
        "n_ids": options.vocabulary, "width": options.width, "heads": max(1, options.width // 32), "layers": options.layers,
        "context": 256, "batch": 8, "rate": 2e-3, "threads": 1,
    }  # fmt: skip
    short: dict[str, list[Ids]] = {}
    n_bytes: dict[str, int] = {}
    for name, documents in material.references.items():
        ends = np.cumsum([len(text) + 1 for text in material.texts[name]])
        n_documents = max(1, int(np.searchsorted(ends, options.transformer_reference_tokens, side="right")))
        short[name] = material.texts[name][:n_documents]
        n_bytes[name] = sum(document.n_bytes for document in documents[:n_documents])
    program = [str(python), str(REPOSITORY / "bench" / "ablation" / "transformer_peer.py"), json.dumps(settings)]
    with Server(program) as server, tempfile.TemporaryDirectory(prefix="headwater-ablation-") as folder:
        said: Figures = {}

        def run(documents: list[Ids], seed: int) -> dict[str, float]:
            file = Path(folder) / "arrays.npz"
            flat = {name: _with_ends(found, options.vocabulary) for name, found in short.items()}
            flat["train"] = _with_ends(documents, options.vocabulary)[: options.transformer_budget]
            np.savez(file, **flat)  # type: ignore[arg-type] # numpy's stub takes any name for its option
            said.update(server.ask(f"{file} {seed}"))
            return {name: value * _LOG2_E for name, value in said["nats"].items()}

        arms = [arm for arm in options.transformer_arms.split(",") if arm in choices]
        all_settings = settings | {"budget": options.transformer_budget, "torch": server.greeting["version"]}
        seeds = min(options.seeds, options.transformer_seeds)
        losses = _losses(options, all_settings, arms, seeds, choices, material.ids, short, n_bytes, run)
    return {"arms": arms, "settings": all_settings} | summary(losses, material.classes)


def _losses(
    options: argparse.Namespace,
    settings: Figures,
    arms: Sequence[str],
    seeds: int,
    choices: dict[str, list[Choice]],
    ids: list[Ids],
    texts: dict[str, list[Ids]],
    n_bytes: dict[str, int],
    run: _Judge,
) -> dict[str, list[dict[str, float]]]:
    """Return by arm and seed the bits per byte of each reference text, computed where WORK does not have them yet."""
    judged = hashlib.blake2b(json.dumps(settings, sort_keys=True).encode(), digest_size=16)
    for name, documents in sorted(texts.items()):
        judged.update(name.encode() + _with_ends(documents, options.vocabulary).tobytes())
    losses: dict[str, list[dict[str, float]]] = {arm: [] for arm in arms}
    for seed in range(seeds):
        for arm in arms:
            choice = choices[arm][seed]
            documents = [ids[place][:n] for place, n in zip(choice.places, choice.n_tokens, strict=True)]
            key = judged.copy()
            key.update(str(seed).encode() + _with_ends(documents, options.vocabulary).tobytes())
            file = options.work / "losses" / f"{key.hexdigest()}.json"
            started = time.monotonic()
            bits: dict[str, float] = json.loads(file.read_text()) if file.exists() else run(documents, seed)
            file.parent.mkdir(exist_ok=True)
            file.write_text(json.dumps(bits))
            losses[arm].append({name: bits[name] / n_bytes[name] for name in texts})
            say(f"seed {seed}, {arm}: {time.monotonic() - started:.0f} s")
    return losses


def _with_ends(documents: Sequence[Ids], end: int) -> Ids:
    """The ids of all documents, each followed by the end."""
    parts: list[Any] = [np.zeros(0, np.uint16)]
    for ids in documents:
        parts += [ids, np.array([end], np.uint16)]
    return np.concatenate(parts)


def say(what: str) -> None:
    """Tell on standard error how far the run is."""
    print(f"bench.ablation: {what}", file=sys.stderr, flush=True)
