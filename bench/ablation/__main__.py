"""Does selection help? ``python -m bench.ablation SHARED WORK`` prints one JSON object (docs/benchmarks.md).

Documents of a mixed raw pool are shared out among the seeds, so that seeds are independent. From each share every arm takes documents until
the same budget of tokens is spent: the best by the scores of the checked-out code, by the old formulas, by length, a random choice, and a
random choice among what datatrove's filters keep. On each choice a model is trained, an n-gram model and a small transformer, and judged by
bits per byte on reference texts that are not in the pool. What was computed is kept in WORK, by hash of all that it depends on.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bench.ablation.arms import ARMS, Choice, choose, models_read, wishes
from bench.ablation.documents import Document, gather, hash_fraction
from bench.ablation.judges import Material, judge_by_ngram, judge_by_transformer, say
from bench.ablation.overlap import keep_apart
from bench.ablation.report import markdown
from bench.ablation.tokens import encode_documents, small_vocabulary
from bench.documents import REPOSITORY
from bench.figures import Figures
from bench.peers import PeerFailedError, peer_python

__all__ = ["main", "measure"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(prog="bench.ablation", description=__doc__)
    parser.add_argument("shared", type=Path, help="folder with corpus, and with web and benchmarks where they are")
    parser.add_argument("work", type=Path, help="folder for KenLM's programs and for what was computed")
    parser.add_argument("--language", default="en", help="of the corpus' files")
    parser.add_argument("--models", default="ngram,transformer")
    parser.add_argument("--arms", default=",".join(ARMS), help="of the n-gram model")
    parser.add_argument("--transformer-arms", default="random,new_knowledge_density,old_knowledge_density,datatrove")
    parser.add_argument("--budget", type=int, default=800_000, help="tokens that each arm takes")
    parser.add_argument("--transformer-budget", type=int, default=150_000, help="of them, for the transformer")
    parser.add_argument("--seeds", type=int, default=5, help="shares of the pool; the n-gram model is trained on each")
    parser.add_argument("--transformer-seeds", type=int, default=3, help="of them, for the transformer")
    parser.add_argument("--vocabulary", type=int, default=4096, help="ids of the cut vocabulary")
    parser.add_argument("--order", type=int, default=5, help="of the n-gram model")
    parser.add_argument("--piece-bytes", type=int, default=16_000, help="longer documents are cut")
    parser.add_argument("--source-megabytes", type=float, default=6.0, help="most that a source gives to the pool")
    parser.add_argument("--reference-kilobytes", type=float, default=250.0, help="most that a reference text has")
    parser.add_argument("--transformer-reference-tokens", type=int, default=8_000, help="of each, for the transformer")
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--small", action="store_true", help="the smallest settings that still run everything")
    parser.add_argument("--kenlm", type=Path, help="folder of lmplz and query; made where it is not given")
    parser.add_argument("--environments", type=Path, default=REPOSITORY, help="folder of the peers' environments")
    parser.add_argument("--no-install", action="store_true", help="do not make .venv-peers and .venv-peers-ablation")
    parser.add_argument("--markdown", type=Path, help="write the tables to this file as well")
    options = parser.parse_args(arguments)
    if options.small:
        options.budget, options.transformer_budget, options.seeds, options.transformer_seeds = 4_000, 2_000, 2, 2
        options.vocabulary, options.order, options.width, options.layers = 512, 3, 16, 1
        options.source_megabytes, options.reference_kilobytes, options.transformer_reference_tokens = 0.1, 5.0, 500
    report = measure(options)
    print(json.dumps(report, indent=2, ensure_ascii=False))
    if options.markdown:
        options.markdown.write_text(
            "\n\n".join(
                f"{model}:\n\n{markdown(report[model], report[model]['arms'])}"
                for model in options.models.split(",")
                if report[model].get("arms")
            )
            + "\n"
        )


def measure(options: argparse.Namespace) -> Figures:
    """Return the whole report."""
    options.work.mkdir(parents=True, exist_ok=True)
    say("reading the documents")
    gathered = gather(
        options.shared,
        options.language,
        piece_bytes=options.piece_bytes,
        most_pieces=4,
        source_bytes=int(options.source_megabytes * 1e6),
        reference_bytes=int(options.reference_kilobytes * 1e3),
    )
    pool, references = keep_apart(gathered.pool, gathered.references, most=0.2)
    references = {name: documents for name, documents in references.items() if documents}
    classes = {name: gathered.classes[name] for name in references}
    vocabulary = small_vocabulary(options.vocabulary)
    ids = encode_documents(pool, vocabulary)
    texts = {name: encode_documents(documents, vocabulary) for name, documents in references.items()}
    say("datatrove's filters")
    kept, reason = _kept(options, pool)
    say("scores")
    wanted = wishes(pool, options.language, kept)
    shares: list[list[int]] = [[] for _ in range(options.seeds)]
    for place, document in enumerate(pool):
        shares[int(hash_fraction("share", document.key) * options.seeds)].append(place)
    choices = {
        arm: [choose(wish(s), pool, ids, shares[s], options.budget, s) for s in range(options.seeds)]
        for arm, wish in wanted.items()
    }
    report: Figures = {
        "format": 1,
        "settings": {name: value for name, value in vars(options).items() if isinstance(value, (int, float, str))},
        "models_of_the_new_scores": models_read(),
        "pool": {"tokens_a_share": [sum(len(ids[place]) + 1 for place in share) for share in shares]}
        | {"megabytes": _by_source(pool)},
        "references": {
            name: {
                "class": classes[name],
                "not_in_the_pool": gathered.held_out[name],
                "documents": len(documents),
                "kilobytes": round(sum(document.n_bytes for document in documents) / 1e3, 1),
            }
            for name, documents in sorted(references.items())
        },
        "datatrove": {"reason": reason}
        if kept is None
        else {"kept_share_of_documents": round(float(np.mean(kept)), 3)},
        "choices": {arm: _describe(found, pool) for arm, found in choices.items()},
    }
    material = Material(ids=ids, texts=texts, references=references, classes=classes)
    for model in options.models.split(","):
        run = {"ngram": judge_by_ngram, "transformer": judge_by_transformer}[model]
        try:
            report[model] = run(options, choices, material)
        except PeerFailedError as error:
            report[model] = {"reason": str(error)}
    return report


def _kept(options: argparse.Namespace, pool: list[Document]) -> tuple[list[bool] | None, str | None]:
    """Return what datatrove's filters keep, or None and why they were not asked."""
    requirements = REPOSITORY / "bench" / "requirements-peers.txt"
    python, reason = peer_python(options.environments / ".venv-peers", requirements, install=not options.no_install)
    if python is None:
        return None, reason
    lines = "".join(json.dumps(document.text) + "\n" for document in pool)
    program = REPOSITORY / "bench" / "ablation" / "datatrove_keeps.py"
    key = hashlib.blake2b(program.read_bytes() + options.language.encode() + lines.encode(), digest_size=16)
    file = options.work / f"datatrove-{key.hexdigest()}"
    if not file.exists():
        command = [str(python), str(program), options.language]
        environment = {"PYTHONPATH": str(REPOSITORY), "PATH": "/usr/bin:/bin"}
        done = subprocess.run(command, input=lines, capture_output=True, text=True, check=False, env=environment)
        if done.returncode:
            return None, (done.stderr.strip().splitlines() or ["datatrove failed"])[-1][:300]
        file.write_text(done.stdout)
    return [answer == "1" for answer in file.read_text().split()], None


def _by_source(documents: Sequence[Document]) -> Figures:
    sizes: Counter[str] = Counter()
    for document in documents:
        sizes[document.source] += document.n_bytes
    return {source: round(size / 1e6, 2) for source, size in sizes.most_common()}


def _describe(choices: Sequence[Choice], pool: Sequence[Document]) -> Figures:
    """What an arm took, all seeds together: documents, tokens, and each source's share of the tokens."""
    tokens: Counter[str] = Counter()
    for choice in choices:
        for place, n_tokens in zip(choice.places, choice.n_tokens, strict=True):
            tokens[pool[place].source] += n_tokens
    total = sum(tokens.values())
    return {
        "documents": [len(choice.places) for choice in choices],
        "tokens": [sum(choice.n_tokens) for choice in choices],
        "share_of_tokens": {source: round(count / total, 3) for source, count in tokens.most_common()},
    }


if __name__ == "__main__":
    main()
