"""Compile every kernel that the shipped recipes use, so that no Spark worker spends its first seconds on it.

    python -m headwater.pipelines.annotate.compile_kernels

Setup calls this; on a cluster, call it where the package is installed, before it is packed, or leave it to the first worker of each machine.
Numba keeps what it compiles beside the package, so a second call finds it done. What is not compiled here: formats and
vocabularies of other kinds than those of the recipes, which compile at their first use.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Final

import numpy as np
import pyarrow as pa

from headwater.filters.contamination.find import find_contamination
from headwater.filters.contamination.index import ItemSet, build_index
from headwater.filters.contamination.items import Item
from headwater.filters.duplicates import minhash
from headwater.filters.duplicates.agreement import signature_matrix
from headwater.filters.duplicates.pairs import components, connect_bucket, elect_winners
from headwater.filters.html.page import compile_page
from headwater.filters.language import identify as language
from headwater.filters.scores import score as scores
from headwater.filters.scores.calibration import class_shares
from headwater.filters.scores.model import Input, ScoreModel, Words
from headwater.filters.scores.shipped import Scorer
from headwater.filters.scores.trees import Node
from headwater.filters.scores.words import WordModel, word_odds
from headwater.filters.signals import measure as signals
from headwater.filters.spans import find as spans
from headwater.filters.spans.stored import stored_spans
from headwater.tokenize.encode.encoder import encode
from headwater.tokenize.forms.load import load_vocabulary
from headwater.tokenize.names import STRATEGIES
from headwater.tokenize.pack.placing import copy_tokens
from headwater.tokenize.pack.strategies import pack
from headwater.tokenize.train.bpe import TokenRules, train
from headwater.tokenize.train.piece_counts import bin_pieces, count_pieces, merge_counts

__all__ = ["KERNELS", "compile_kernels"]

_QUESTION: Final = "Why does the river carry sand and stone from the spring down to the sea every single year?"
_TEXT: Final = (
    "Water flows from the spring to the sea. It carves stone, carries sand and feeds fields.\n"
    "1. First we measure the depth: 3 metres. 2. Then, because the river is wide, we count its arms.\n"
    f"Write to source@example.org; this site uses cookies.\n水は泉から海へ流れる。\nنهر\n{_QUESTION} It slopes.\n"
)


def _texts() -> pa.LargeStringArray:
    return pa.array([_TEXT, _TEXT * 3, ""], pa.large_string())


def _language() -> None:
    # The last is Malay as well as Indonesian: relatives are asked about it.
    texts = pa.array([*_texts().to_pylist(), "Anak itu makan nasi dan ikan di rumah."], pa.large_string())
    language.identify(texts, language.load_model())


def _signals_and_spans() -> None:
    texts = _texts()
    signals.measure_signals(texts, pa.array(["en", "ja", "und"]))
    found = spans.find_spans(texts, sorted(spans.OPERATORS))
    stored_spans(texts, (), pa.array(["en", "ja", "und"]), personal=True, secrets=True)
    spans.apply_spans(texts, *(found[name] for name in ("row", "span_begin", "span_end", "action")))


def _scores() -> None:
    inputs = (Input(signal="gopher_words", transform="log1p"),)
    bare = {"name": "quality", "inputs": inputs, "biases": (0.0,), "calibration": {"*": (1.0, 0.0)}}
    tree = (Node(0, 0.0, 1, 2, 0.0), Node(-1, 0.0, 0, 0, 0.0), Node(-1, 0.0, 0, 0, 1.0))
    trees = ScoreModel(**bare, kind="trees", classes=("score",), trees=((tree,),))  # type: ignore[arg-type] # fields by name
    languages = pa.array(["en", "ja", "und"])
    scores.score(signals.measure_signals(_texts(), languages), languages, {"quality": Scorer(model=trees)})
    class_shares(trees, np.zeros((1, 3)), languages.to_pylist())
    words = Words(file="x.ftz", sha256="0" * 64, label="en")
    word_odds(_texts(), WordModel(words=words, kernel=language.load_model().kernel, label=0))


def _duplicates() -> None:
    signatures = signature_matrix(minhash.measure_minhash(_texts())["signature"])
    rows = np.array([0, len(signatures)], dtype=np.int64)
    connect_bucket(signatures, np.full(len(signatures), -1, dtype=np.int64), rows)
    components(np.array([1], dtype=np.int64), np.array([0], dtype=np.int64), 2)
    keys = np.zeros((len(signatures), 2), dtype=np.uint64)
    elect_winners(signatures, rows, keys, keys, np.zeros(len(signatures), dtype=bool))


def _contamination() -> None:
    items = (
        Item(name="long", question=_QUESTION, answers=("It slopes.",), known=True),
        Item(name="short", question="Why is the river wide?", answers=(), known=False),
    )
    find_contamination(_texts(), build_index([ItemSet(name="rivers", items=items)]))


def _tokens() -> None:
    vocabulary = load_vocabulary()
    tokens, offsets = encode(_texts(), vocabulary)
    for source in (
        tokens,
        np.frombuffer(tokens.tobytes(), "<u4"),
    ):  # a build copies from its own and from Arrow's, read only
        copy_tokens(source, offsets[:-1], np.diff(offsets), offsets[:-1], np.empty_like(tokens))
    for strategy in STRATEGIES:
        pack(
            tokens,
            offsets,
            np.arange(len(offsets) - 1, dtype=np.int64),
            context=64,
            strategy=strategy,
            end_of_text=vocabulary.end_of_text,
            padding=vocabulary.padding,
            seed=0,
            bucket=0,
        )


def _training() -> None:
    names = pa.array(["a", "b", "c"])
    counts = merge_counts([count_pieces(_texts(), names, names, names)])
    bin_pieces(counts["piece"], 4)
    train(counts, n_ids=300, settings=TokenRules(min_sources=1, min_documents=1))


KERNELS: Final[tuple[Callable[[], None], ...]] = (
    compile_page,
    _signals_and_spans,
    _tokens,
    _language,
    _scores,
    _duplicates,
    _contamination,
    _training,
)
"""Each runs what one part of a job compiles, on a few lines of text; those that take longest come first."""


def compile_kernels(processes: int = 1) -> None:
    """Run every part once, in `processes` processes at once; one means this process."""
    if processes == 1:
        for part in KERNELS:
            part()
        return
    with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn")) as pool:
        for done in [pool.submit(part) for part in KERNELS]:
            done.result()


if __name__ == "__main__":
    from headwater.pipelines.annotate.compile_once import compile_once

    compile_once()
