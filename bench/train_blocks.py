"""Train the model that chooses blocks: ``src/headwater/filters/data/html/main_text.npz``.

    python -m bench.train_blocks ../shared/web OUT

lightgbm and publicsuffixlist must be installed (lightgbm 4.7.0 made the shipped file). The same pages, release and seeds give the
same bytes. What the later stages learn from are answers to pages of sites that the earlier ones did not see.
"""

from __future__ import annotations

import argparse
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import lightgbm
import numpy as np
import numpy.typing as npt

from bench.block_labels import block_words, label_segments, label_text
from bench.html_pages import MarkedPage, fold_of, read_segments, read_wcxb
from headwater.filters.html.attributes import decode_text
from headwater.filters.html.boosted import Trees
from headwater.filters.html.choice_model import ChoiceModel
from headwater.filters.html.element_marks import N_GROUPS, word_hash
from headwater.filters.html.features import BlockFeatures, WordWeights, measure_blocks
from headwater.filters.html.nodes import TEXT_NODE, NodeTable, node_table
from headwater.filters.html.page_kind import PAGE_KINDS, TokenWeights, page_row
from headwater.filters.html.parse import normal_html
from headwater.filters.html.second_features import measure_answers
from headwater.filters.html.tags import BR

__all__ = ["Prepared", "fit_model", "main", "prepare_pages"]

FOLDS: Final = 5
"""In which sites are cut so that stages learn from answers to pages unseen."""
GROUP_OF: Final[Mapping[str, int]] = {"": 0, "article": 0, "documentation": 0, "forum": 1}
BLOCK_SETTINGS: Final[dict[str, Any]] = {  # Any: lightgbm's own types
    "objective": "cross_entropy", "learning_rate": 0.1, "num_leaves": 40, "min_data_in_leaf": 50, "feature_fraction": 0.3,
    "bagging_fraction": 0.7, "bagging_freq": 1, "max_bin": 63, "lambda_l2": 2.0, "min_sum_hessian_in_leaf": 0.02,
    "num_threads": 1, "verbosity": -1, "seed": 1, "deterministic": True, "force_row_wise": True,
}  # fmt: skip
KIND_SETTINGS: Final[dict[str, Any]] = {  # Any: lightgbm's own types
    "objective": "multiclass", "num_class": len(PAGE_KINDS), "learning_rate": 0.06, "num_leaves": 12, "min_data_in_leaf": 10,
    "feature_fraction": 0.5, "bagging_fraction": 0.7, "bagging_freq": 1, "lambda_l2": 2.0,
    "num_threads": 1, "verbosity": -1, "seed": 1, "deterministic": True, "force_row_wise": True,
}  # fmt: skip
ROUNDS: Final = (160, 100)
"""Trees of the first and of the second stage."""
KIND_ROUNDS: Final = 100
LEAST_SITES: Final = 4
"""On which a word stands that gets weights."""
LEAST_PAGES: Final = 3
"""On which a token stands that gets weights."""
SEGMENT_WEIGHT: Final = 0.12
"""Of a block with a segment, where all blocks of a page of WCXB together have about 1."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Prepared:
    """A page, its blocks and their labels.

    Attributes:
        page: what people said.
        html: normal HTML.
        table: nodes and blocks.
        sizes: float64 (blocks,), words.
        labels: float64 (blocks,): share of main text, -1 where unknown.
        weights: float64 (blocks,), for learning.
        measured: features without weights of words, with the words met.
        fold: by site.
    """

    page: MarkedPage
    html: npt.NDArray[np.uint8]
    table: NodeTable
    sizes: npt.NDArray[np.float64]
    labels: npt.NDArray[np.float64]
    weights: npt.NDArray[np.float64]
    tokens: tuple[str, ...]
    words: npt.NDArray[np.uint32]
    word_shares: npt.NDArray[np.float64]
    word_sizes: npt.NDArray[np.float64]
    share: float
    fold: int


NO_WORDS: Final = WordWeights(hashes=np.zeros(0, np.uint32), weights=np.zeros((0, N_GROUPS), np.float32))


def block_texts(html: npt.NDArray[np.uint8], table: NodeTable) -> list[str]:
    """Return each block's text, a line feed for each <br>."""
    parts: list[list[str]] = [[] for _ in range(table.n_blocks)]
    for node in np.flatnonzero((table.block >= 0) & ((table.kind == TEXT_NODE) | (table.tag == BR))):
        is_text = table.kind[node] == TEXT_NODE
        parts[table.block[node]].append(
            decode_text(html, int(table.begin[node]), int(table.finish[node])) if is_text else "\n"
        )
    return ["".join(each) for each in parts]


def decode_body(page: MarkedPage) -> bytes:
    """Return a page's body as UTF-8; segments' pages have charsets of their own, which resiliparse detects."""
    if page.set == "wcxb":
        return page.body
    from resiliparse.parse.encoding import bytes_to_str, detect_encoding

    return bytes_to_str(page.body, detect_encoding(page.body) or "utf-8").encode("utf-8", "surrogatepass")


def prepare_pages(pages: Sequence[MarkedPage], n_folds: int) -> list[Prepared]:
    """Return pages, parsed, measured and labelled."""
    return [_prepare(page, n_folds) for page in pages]


def _prepare(page: MarkedPage, n_folds: int) -> Prepared:
    html = np.frombuffer(normal_html(decode_body(page)), np.uint8)
    table = node_table(html)
    texts = block_texts(html, table)
    words = block_words(texts)
    sizes = np.array([len(each) for each in words], np.float64)
    if page.set == "wcxb":
        labels = label_text(words, page.text)
        wanted = len(re.findall(r"\w+", page.text))
        weights = (sizes + 0.5) / (wanted + 0.25 * sizes.sum() + 20.0)
    else:
        labels = label_segments(texts, page.inside, page.outside)
        weights = (labels >= 0) * SEGMENT_WEIGHT
    measured = measure_blocks(html, table, NO_WORDS, keep_words=True)
    known = sizes * (labels >= 0)
    sums = np.concatenate(([0.0], np.cumsum(known)))
    mains = np.concatenate(([0.0], np.cumsum(known * np.maximum(labels, 0))))
    begin, stop = measured.first_block[measured.word_nodes], measured.first_block[table.end[measured.word_nodes]]
    met, inverse = np.unique(measured.words, return_inverse=True)
    main = np.bincount(inverse, mains[stop] - mains[begin], len(met))
    total = np.bincount(inverse, sums[stop] - sums[begin], len(met))
    seen = total > 0
    return Prepared(
        page=page,
        html=html,
        table=table,
        sizes=sizes,
        labels=labels,
        weights=weights,
        tokens=measured.tokens,
        words=met[seen],
        word_shares=main[seen] / total[seen],
        word_sizes=total[seen].astype(np.float64),
        share=float(mains[-1] / max(sums[-1], 1.0)),
        fold=fold_of(page.site, n_folds),
    )


def learn_words(pages: Sequence[Prepared]) -> WordWeights:
    """Return for each word, by group of kinds, how far the odds of main text below it are from those of the pages it is on."""
    counts = [len(page.words) for page in pages]
    sites = {site: number for number, site in enumerate(dict.fromkeys(page.page.site for page in pages))}
    pages_of = Counter(page.page.site for page in pages)
    words, shares, sizes = (
        np.concatenate([getattr(page, name) for page in pages]) for name in ("words", "word_shares", "word_sizes")
    )
    group = np.repeat([GROUP_OF.get(page.page.kind, 2) for page in pages], counts)
    expected = np.repeat([page.share for page in pages], counts)
    weight = np.repeat([1.0 / pages_of[page.page.site] for page in pages], counts) * np.minimum(1.0, sizes / 20.0)
    site = np.repeat([sites[page.page.site] for page in pages], counts)
    met, inverse = np.unique(words, return_inverse=True)
    n_sites = np.bincount(np.unique(inverse.astype(np.int64) * len(sites) + site) // len(sites), minlength=len(met))
    odds = np.zeros((len(met), N_GROUPS), np.float32)
    for number in range(N_GROUPS):
        mine = group == number
        yes, no, would, would_not = (
            np.bincount(inverse[mine], (weight * value)[mine], len(met))
            for value in (shares, 1 - shares, expected, 1 - expected)
        )
        odds[:, number] = np.log((yes + 1.6) / (would + 1.6)) - np.log((no + 2.4) / (would_not + 2.4))
    often = n_sites >= LEAST_SITES
    return WordWeights(hashes=met[often].astype(np.uint32), weights=_rounded(odds[often]))


def learn_tokens(pages: Sequence[Prepared]) -> TokenWeights:
    """Return for each token how much more often it is on pages of each kind than on all."""
    counts: dict[int, npt.NDArray[np.float64]] = defaultdict(lambda: np.zeros(len(PAGE_KINDS)))
    kinds = np.zeros(len(PAGE_KINDS))
    for page in pages:
        if page.page.kind:
            kind = PAGE_KINDS.index(page.page.kind)
            kinds[kind] += 1
            for value in {word_hash(token) for token in page.tokens}:
                counts[value][kind] += 1
    hashes = sorted(value for value, count in counts.items() if count.sum() >= LEAST_PAGES)
    table = np.array([counts[value] for value in hashes]).reshape(-1, len(PAGE_KINDS))
    everywhere = (table.sum(axis=1, keepdims=True) + 0.3) / (kinds.sum() + 0.3)
    share = np.maximum(kinds, 1) / kinds.sum()
    weights = np.log((table + 0.3 * share) / (kinds + 0.3)) - np.log(everywhere)
    return TokenWeights(hashes=np.array(hashes, np.uint32), weights=_rounded(weights))


def _rounded(values: npt.NDArray[Any]) -> npt.NDArray[np.float32]:  # Any: of any width
    """Return values as the file keeps them: 16 bits each."""
    return values.astype(np.float16).astype(np.float32)


def _flat(booster: lightgbm.Booster, number: int = 0, step: int = 1) -> Trees:
    """Return the trees of a booster, of every `step` the one at `number`."""
    roots, feature, low, high = [0], list[int](), list[int](), list[int]()
    threshold, value = list[float](), list[float]()
    for tree in booster.dump_model()["tree_info"][number::step]:
        first_node, first_leaf = len(feature), len(value)
        size = max(tree["num_leaves"] - 1, 1)
        feature += [0] * size
        threshold += [0.0] * size
        low += [0] * size
        high += [0] * size
        value += [0.0] * tree["num_leaves"]
        order: list[Any] = [tree["tree_structure"]]  # Any: what lightgbm dumps
        place: dict[int, int] = {}
        while order:  # from the root down, so that every way leads on
            node = order.pop(0)
            if "split_index" in node:
                place[node["split_index"]] = first_node + len(place)
                order += [node["left_child"], node["right_child"]]
            else:
                value[first_leaf + node.get("leaf_index", 0)] = node["leaf_value"]
        if not place:
            low[first_node] = high[first_node] = ~first_leaf
        order = [tree["tree_structure"]] if place else []
        while order:
            node = order.pop()
            at = place[node["split_index"]]
            feature[at], threshold[at] = node["split_feature"], _at_most(node["threshold"])
            for way, child in ((low, node["left_child"]), (high, node["right_child"])):
                if "split_index" in child:
                    way[at] = place[child["split_index"]]
                    order.append(child)
                else:
                    way[at] = ~(first_leaf + child["leaf_index"])
        roots.append(len(feature))
    return Trees(
        roots=np.array(roots, np.int64),
        feature=np.array(feature, np.int16),
        threshold=np.array(threshold, np.float32),
        low=np.array(low, np.int32),
        high=np.array(high, np.int32),
        value=np.array(value, np.float32).astype(np.float64),
    )


def _at_most(threshold: float) -> float:
    """Return the greatest float32 that is at most a threshold: comparisons of float32 come out alike."""
    near = np.float32(threshold)
    return float(near if float(near) <= threshold else np.nextafter(near, np.float32(-np.inf)))


def _fit_blocks(rows: Sequence[npt.NDArray[np.float32]], pages: Sequence[Prepared], rounds: int) -> lightgbm.Booster:
    """Return trees for blocks. Light rows are drawn with a chance by their weight, and weigh accordingly more."""
    table = np.concatenate(rows)
    labels, weights = (np.concatenate([getattr(page, name) for page in pages]) for name in ("labels", "weights"))
    known = np.flatnonzero(weights > 0)
    chance = np.clip(weights[known] / np.quantile(weights[known], 0.85), 0.08, 1.0)
    drawn = np.random.default_rng(1).random(len(known)) < chance
    chosen, weight = known[drawn], weights[known][drawn] / chance[drawn]
    data = lightgbm.Dataset(table[chosen], labels[chosen], weight=weight * (len(weight) / weight.sum()))
    return lightgbm.train(BLOCK_SETTINGS, data, rounds)


def _fit_kinds(rows: Sequence[npt.NDArray[np.float32]], pages: Sequence[Prepared]) -> lightgbm.Booster:
    """Return trees for the kind of pages."""
    known = [number for number, page in enumerate(pages) if page.page.kind and len(rows[number])]
    labels = np.array([PAGE_KINDS.index(pages[number].page.kind) for number in known])
    return lightgbm.train(
        KIND_SETTINGS, lightgbm.Dataset(np.concatenate([rows[number] for number in known]), labels), KIND_ROUNDS
    )


def _predict(booster: lightgbm.Booster, rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return np.asarray(booster.predict(rows), np.float32) if len(rows) else np.zeros(0, np.float32)


def fit_model(pages: Sequence[Prepared], rounds: tuple[int, int] = ROUNDS) -> ChoiceModel:
    """Return a model of pages; each stage learns from what the one before says of folds that it did not see.

    Args:
        rounds: trees of the first and of the second stage.
    """
    folds = sorted({page.fold for page in pages})
    measured: list[BlockFeatures | None] = [None] * len(pages)
    rows: list[npt.NDArray[np.float32]] = [np.zeros((0, 0), np.float32)] * len(pages)
    kind_rows = list(rows)
    inside = {fold: [number for number, page in enumerate(pages) if page.fold == fold] for fold in folds}
    outside = {fold: [number for number, page in enumerate(pages) if page.fold != fold] for fold in folds}
    for fold in folds:
        others = [pages[number] for number in outside[fold]]
        words, tokens = learn_words(others), learn_tokens(others)
        for number in inside[fold]:
            page = pages[number]
            found = measure_blocks(page.html, page.table, words)
            measured[number] = found
            rows[number] = found.rows
            kind_rows[number] = page_row(found, tokens) if len(found.rows) else np.zeros((0, 0), np.float32)
    for fold in folds:
        kinds = _fit_kinds([kind_rows[number] for number in outside[fold]], [pages[number] for number in outside[fold]])
        for number in inside[fold]:
            if len(rows[number]):
                chances = np.asarray(kinds.predict(kind_rows[number]), np.float32)
                rows[number] = np.concatenate((rows[number], np.repeat(chances, len(rows[number]), axis=0)), axis=1)
    filled = [number for number in range(len(pages)) if len(rows[number])]
    second_rows = list(rows)
    for fold in folds:
        seen = [number for number in filled if pages[number].fold != fold]
        first = _fit_blocks([rows[number] for number in seen], [pages[number] for number in seen], rounds[0])
        for number in filled:
            found_here = measured[number]
            if pages[number].fold == fold and found_here is not None:
                answers = measure_answers(pages[number].table, found_here, _predict(first, rows[number]))
                second_rows[number] = np.concatenate((rows[number], answers), axis=1)
    all_pages = [pages[number] for number in filled]
    kinds = _fit_kinds([kind_rows[number] for number in filled], all_pages)
    return ChoiceModel(
        words=learn_words(pages),
        tokens=learn_tokens(pages),
        kinds=tuple(_flat(kinds, number, len(PAGE_KINDS)) for number in range(len(PAGE_KINDS))),
        first=_flat(_fit_blocks([rows[number] for number in filled], all_pages, rounds[0])),
        second=_flat(_fit_blocks([second_rows[number] for number in filled], all_pages, rounds[1])),
        sha256="",
    )


def write_model(model: ChoiceModel, path: Path) -> None:
    """Write a model's file."""
    arrays: dict[str, npt.NDArray[Any]] = {  # Any: of any type
        "format": np.array(1),
        "word_hashes": model.words.hashes,
        "word_weights": model.words.weights.astype(np.float16),
        "token_hashes": model.tokens.hashes,
        "token_weights": model.tokens.weights.astype(np.float16),
    }
    named = {"first": model.first, "second": model.second}
    named |= {f"kind{number}": trees for number, trees in enumerate(model.kinds)}
    for name, trees in named.items():
        arrays |= {
            f"{name}_roots": trees.roots.astype(np.int32),
            f"{name}_feature": trees.feature,
            f"{name}_threshold": trees.threshold,
            f"{name}_low": trees.low,
            f"{name}_high": trees.high,
            f"{name}_value": trees.value.astype(np.float32),
        }
    with path.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)


def main(arguments: Sequence[str] | None = None) -> None:
    """Train on all pages and write the model."""
    parser = argparse.ArgumentParser(prog="bench.train_blocks", description=__doc__)
    parser.add_argument("pages", type=Path, help="folder of pages_wcxb.jsonl.zst and pages_segments.jsonl.zst")
    parser.add_argument("out", type=Path)
    options = parser.parse_args(arguments)
    pages = prepare_pages([*read_wcxb(options.pages), *read_segments(options.pages)], FOLDS)
    write_model(fit_model(pages), options.out)


if __name__ == "__main__":
    main()
