"""The table of word boundaries: ``python -m bench.train_boundaries FOLDER`` writes it and prints how close it comes to its teachers.

Lines of Chinese, Japanese and Thai of the corpus, each once, are split by the splitters that datatrove uses (`boundary_teacher`, in the
environment that ``make bench`` fills), whether a word begins at a character is learned by logistic regression over hashed n-grams, and
the weights are rounded to int8. FOLDER keeps what the teachers said, so that a second run only trains. One thread and a fixed order: the
same corpus gives the same table.

Three sets: *train*; *held lines*, every 20th line by hash; *held source*, two sources left out as wholes (dialogue and essays).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import lzma
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
from numba import njit

from bench.documents import CORPUS, REPOSITORY
from headwater.arrays import Bools, Float64s, Int64s
from headwater.filters.text.characters import HAN, MARK, character_classes
from headwater.filters.words.boundaries import (
    LANES,
    PAIR_BITS,
    SINGLE_BITS,
    TRIPLE_BITS,
    pair_slot,
    single_slot,
    triple_slot,
)
from headwater.filters.words.cut import cut_text

TABLE: Final = REPOSITORY / "src" / "headwater" / "filters" / "data" / "word_boundaries.xz"
LANGUAGES: Final = ("zh", "ja", "th")
HELD_SOURCES: Final = ("opensource-guide", "wesnoth-dialogue")
SETS: Final = ("train", "held lines", "held source")
MOST_CHARS_A_SOURCE: Final = {"zh": 1_200_000, "ja": 1_000_000, "th": 10_000_000}
LESS: Final = {"chinese-poetry": 200_000}
"""Classical verse: Jieba knows modern words, so its cuts there are mostly noise."""
SCALE: Final = 16.0
EPOCHS: Final = 6
RATE: Final = 0.2
SPARSITY: Final = 1e-4
_GAP: Final = 3


def read_lines(corpus: Path) -> Iterator[tuple[str, str, str]]:
    """Yield language, source and text of lines that are at least a third Han, kana or Thai, each line once, up to the caps."""
    classes = character_classes()
    for language in LANGUAGES:
        seen: set[bytes] = set()
        for path in sorted(corpus.glob(f"*/{language}.jsonl.zst")):
            found = []
            with pa.input_stream(str(path), compression="zstd") as stream:
                texts = [orjson.loads(record)["text"] for record in stream.read().splitlines()]
            for line in (part.strip()[:2000] for text in texts for part in text.split("\n")):
                key = hashlib.blake2b(line.encode(), digest_size=8).digest()
                n_chars = int(np.count_nonzero(classes[np.array([ord(c) for c in line], np.int64)] >= HAN))
                if key not in seen and n_chars >= 4 and 3 * n_chars >= len(line):
                    seen.add(key)
                    found.append((key, n_chars, line))
            left = min(MOST_CHARS_A_SOURCE[language], LESS.get(path.parent.name, 1 << 40))
            for _, n_chars, line in sorted(found):
                if left <= 0:
                    break
                left -= n_chars
                yield language, path.parent.name, line


def ask_teachers(corpus: Path, python: Path, folder: Path) -> tuple[Path, Path]:
    """Return the file of lines and the file of their words, made where they do not exist."""
    lines, words = folder / "lines.jsonl", folder / "words.jsonl"
    if not words.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with lines.open("w", encoding="utf-8") as out:
            for language, source, text in read_lines(corpus):
                out.write(json.dumps([language, text, source], ensure_ascii=False) + "\n")
        partial = folder / "words.partial"
        with lines.open() as given, partial.open("w") as taken:
            command = [str(python), str(REPOSITORY / "bench" / "boundary_teacher.py")]
            subprocess.run(command, stdin=given, stdout=taken, check=True)
        partial.rename(words)
    return lines, words


def mark_boundaries(text: str, words: list[str]) -> npt.NDArray[np.int8] | None:
    """Return for each character 1 where a word begins or the last one has ended, or None where the words are not the text's."""
    marks = np.zeros(len(text) + 1, np.int8)
    at = 0
    for word in words:
        place = text.find(word, at)
        if place < 0 or text[at:place].strip():
            return None
        marks[place] = 1
        at = place + len(word)
        marks[at] = 1
    return marks[:-1]


def load_examples(lines: Path, words: Path) -> tuple[Int64s, npt.NDArray[np.int8], npt.NDArray[np.int8]]:
    """Return code points (0 outside of runs, three between lines), labels (-1: nothing to learn) and 3 × language + set, in a fixed shuffle."""
    classes = character_classes()
    parts = []
    with lines.open() as given, words.open() as said:
        for line, answer in zip(given, said, strict=True):
            language, text, source = json.loads(line)
            marks = mark_boundaries(text, json.loads(answer))
            if marks is None:
                continue
            kinds = classes[np.array([ord(c) for c in text], np.int64)]
            inside = kinds >= HAN
            for place in range(1, len(text)):
                inside[place] |= kinds[place] == MARK and inside[place - 1]
            key = hashlib.blake2b(text.encode(), digest_size=8).digest()
            held = 2 if source in HELD_SOURCES else int(key[0] % 20 == 0)
            label = np.where(inside & np.r_[False, inside[:-1]] & (kinds != MARK), marks, -1)
            points = np.where(inside, [ord(c) for c in text], 0)
            parts.append((key, *_spread(points, label), 3 * LANGUAGES.index(language) + held))
    parts.sort(key=lambda part: part[0])
    groups = [np.full(len(part[1]), part[3], np.int8) for part in parts]
    return np.concatenate([p[1] for p in parts]), np.concatenate([p[2] for p in parts]), np.concatenate(groups)


def _spread(points: Int64s, label: npt.NDArray[np.int8]) -> tuple[Int64s, npt.NDArray[np.int8]]:
    """Return both with at least `_GAP` zeros around each run: the kernel's window begins empty at each."""
    starts = np.flatnonzero((points != 0) & np.r_[True, points[:-1] == 0])
    places = np.repeat(np.r_[0, starts], _GAP)
    ends = np.full(_GAP, len(points))
    return (
        np.insert(points, np.r_[places, ends], 0).astype(np.int64),
        np.insert(label, np.r_[places, ends], -1).astype(np.int8),
    )


@njit(cache=True)
def _list_features(points: Int64s, place: int, found: Int64s) -> int:
    """Write the indexes of the weights that vote on the place before points[place]: the same that `words._cut_run` adds."""
    n = 0
    for lane in range(LANES):
        last = place + 2 - lane
        x, y, z = points[last - 2], points[last - 1], points[last]
        if z:
            found[n] = np.int64(single_slot(z)) * LANES + lane
            n += 1
        if z or y:
            found[n] = ((1 << SINGLE_BITS) + np.int64(pair_slot(y, z))) * LANES + lane
            found[n + 1] = ((1 << SINGLE_BITS) + (1 << PAIR_BITS) + np.int64(triple_slot(x, y, z))) * LANES + lane
            n += 2
    return n


@njit(cache=True)
def _train_epoch(
    points: Int64s,
    labels: npt.NDArray[np.int8],
    groups: npt.NDArray[np.int8],
    weights: Float64s,
    squares: Float64s,
    rate: float,
    sparsity: float,
) -> float:
    """Go over the training set once (AdaGrad, soft thresholding); return the mean loss in nats."""
    found = np.zeros(3 * LANES, np.int64)
    loss, n_places = 0.0, 0
    for place in range(_GAP, len(points) - _GAP):
        if labels[place] < 0 or groups[place] % 3:
            continue
        n = _list_features(points, place, found)
        score = 0.0
        for i in range(n):
            score += weights[found[i]]
        chance = 1.0 / (1.0 + np.exp(-score))
        wrong = chance - labels[place]
        loss -= np.log(max(1e-9, 1.0 - abs(wrong)))
        n_places += 1
        for i in range(n):
            at = found[i]
            squares[at] += wrong * wrong
            step = rate / np.sqrt(squares[at] + 1e-8)
            weight = weights[at] - step * wrong
            weights[at] = np.sign(weight) * max(0.0, abs(weight) - step * sparsity)
    return loss / max(1, n_places)


@njit(cache=True)
def _compare(points: Int64s, labels: npt.NDArray[np.int8], chosen: Bools, weights: Int64s) -> Int64s:
    """Return the counts by (teacher's label, ours)."""
    found = np.zeros(3 * LANES, np.int64)
    counts = np.zeros((2, 2), np.int64)
    for place in range(_GAP, len(points) - _GAP):
        if labels[place] >= 0 and chosen[place]:
            n = _list_features(points, place, found)
            score = 0
            for i in range(n):
                score += weights[found[i]]
            counts[labels[place], int(score > 0)] += 1
    return counts


def judge(language: str, path: Path, python: Path) -> Int64s:
    """Return the counts by (teacher's label, ours) for a plain text, cut by the table that the package ships."""
    lines = [line.strip() for line in path.read_text("utf-8").splitlines() if len(line.strip()) > 8]
    asked = "".join(json.dumps([language, line]) + "\n" for line in lines)
    command = [str(python), str(REPOSITORY / "bench" / "boundary_teacher.py")]
    answers = subprocess.run(command, input=asked, stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
    classes = character_classes()
    counts = np.zeros((2, 2), np.int64)
    for line, answer in zip(lines, answers, strict=True):
        said, own = (
            mark_boundaries(line, json.loads(answer)),
            mark_boundaries(line, [word for word, _ in cut_text(line)]),
        )
        if said is None or own is None:
            continue
        kinds = classes[np.array([ord(c) for c in line], np.int64)]
        inside = kinds >= HAN
        for place in range(1, len(line)):
            inside[place] |= kinds[place] == MARK and inside[place - 1]
        judged = inside & np.r_[False, inside[:-1]] & (kinds != MARK)
        np.add.at(counts, (said[judged], own[judged]), 1)
    return counts


def print_row(name: str, counts: Int64s) -> None:
    """Print places, the share where the teacher begins a word, precision, recall and F1."""
    both = counts[1, 1]
    precision, recall = both / counts[:, 1].sum(), both / counts[1].sum()
    shares = f"{precision:.3f} | {recall:.3f} | {2 * both / (counts[:, 1].sum() + counts[1].sum()):.3f}"
    print(f"| {name} | {counts.sum()} | {counts[1].sum() / counts.sum():.3f} | {shares} |")


def main() -> None:
    """Ask, train, write, report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the teachers' words are kept")
    parser.add_argument("--corpus", type=Path, default=CORPUS)
    parser.add_argument("--python", type=Path, default=REPOSITORY / ".venv-peers" / "bin" / "python")
    parser.add_argument("--output", type=Path, default=TABLE)
    parser.add_argument("--judge", nargs="*", default=[], metavar="LANGUAGE=FILE", help="only compare on these texts")
    options = parser.parse_args()
    if options.judge:
        for language, _, path in (item.partition("=") for item in options.judge):
            print_row(f"{language} | {Path(path).name}", judge(language, Path(path), options.python))
        return
    points, labels, groups = load_examples(*ask_teachers(options.corpus, options.python, options.folder))
    n_weights = ((1 << SINGLE_BITS) + (1 << PAIR_BITS) + (1 << TRIPLE_BITS)) * LANES
    weights, squares = np.zeros(n_weights), np.zeros(n_weights)
    for epoch in range(EPOCHS):
        loss = _train_epoch(points, labels, groups, weights, squares, RATE / (1 + epoch / 2), SPARSITY)
        print(f"epoch {epoch + 1}: {loss:.4f} nats a place")
    table = np.clip(np.rint(weights * SCALE), -127, 127).astype(np.int8)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_bytes(lzma.compress(table.tobytes(), preset=9 | lzma.PRESET_EXTREME))
    print(f"{np.count_nonzero(table)} of {n_weights} weights, {options.output.stat().st_size} bytes")
    print("| language | set | places | words begin | precision | recall | F1 |\n|---|---|---|---|---|---|---|")
    for group in range(3 * len(LANGUAGES)):
        counts = _compare(points, labels, groups == group, table.astype(np.int64))
        if counts[1, 1]:
            print_row(f"{LANGUAGES[group // 3]} | {SETS[group % 3]}", counts)


if __name__ == "__main__":
    main()
