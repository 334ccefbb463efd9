"""What docs/cards/personal-data.md says of personal data and secrets, as JSON.

    python -m bench.personal_card tuning|held_out|final [--misses N] [--unknown] [--found FILE]

Precision and recall by type and language on the generated set of ``bench.personal_set``. A span that was found is right if one of the
same type is there whose bytes it shares for half of their union or more (`overlap`, intersection over union); `exact`: the same
begin and end. Each span of the set is matched once at most. What is found in a free span (numbers that libphonenumber does not know,
ids without a check digit) counts neither way; the share of these that was found stands apart. Of obfuscated addresses and plain
ones, either counts as the other's type. `--unknown`: the finder is told no language. `--found FILE`: what another
program found, as ``bench/personal_peers.py`` writes it. `--misses N`: N of the samples with a fault are printed instead.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from bench.personal_set import TEMPLATES, Sample, make_samples
from headwater.filters.personal.find import find_personal

__all__ = ["score"]

Span = tuple[int, int, str]
_SECRETS = frozenset({"api_key", "password", "private_key"})


def _type(name: str) -> str:
    """Return the set's name of a type that was found."""
    name = name.rpartition(":")[2]
    return "secret" if name in _SECRETS else name


def find(samples: Sequence[Sample], *, unknown: bool) -> list[list[Span]]:
    """Return what is found in each sample."""
    found: list[list[Span]] = [[] for _ in samples]
    languages = pa.array([None if unknown else sample.language for sample in samples], pa.string())
    spans = find_personal(pa.array([sample.text for sample in samples]), languages)
    for row, operator, begin, end in zip(
        *(spans[name].to_pylist() for name in ("row", "operator", "span_begin", "span_end")), strict=True
    ):
        found[row].append((begin, end, _type(operator)))
    return found


def _shared(first: tuple[int, int], second: tuple[int, int]) -> float:
    inside = min(first[1], second[1]) - max(first[0], second[0])
    return max(inside, 0) / (max(first[1], second[1]) - min(first[0], second[0]))


def _same(first: str, second: str) -> bool:
    return first == second or {first, second} == {"email", "email_obfuscated"}


class Sums:
    """Counts of one cell: spans of the set, found, right by overlap and exactly, and free ones."""

    def __init__(self) -> None:
        self.expected = self.found = self.right = self.exact = self.recalled = self.free = self.free_found = 0

    def figures(self) -> dict[str, float | int]:
        """Return precision and recall, rounded."""
        return {
            "spans": self.expected,
            "precision": round(self.right / max(self.found, 1), 4),
            "recall": round(self.recalled / max(self.expected, 1), 4),
            "exact_recall": round(self.exact / max(self.expected, 1), 4),
        } | ({"free": self.free, "free_found": round(self.free_found / self.free, 4)} if self.free else {})


def score(samples: Sequence[Sample], found: Sequence[Sequence[Span]]) -> tuple[dict[tuple[str, str], Sums], list[int]]:
    """Return the counts by (type, language), and the samples with a fault."""
    sums: dict[tuple[str, str], Sums] = defaultdict(Sums)
    faulty = []
    for number, (sample, spans) in enumerate(zip(samples, found, strict=True)):
        open_spans = [span for span in sample.spans if not span[4]]
        free = [span for span in sample.spans if span[4]]
        fault = False
        for begin, end, kind, variant, _ in free:
            cell = sums[variant, sample.language]
            cell.free += 1
            cell.free_found += any(_shared((begin, end), span[:2]) >= 0.5 and _same(kind, span[2]) for span in spans)
        taken: set[int] = set()
        for begin, end, kind in spans:
            if any(_shared((begin, end), (other[0], other[1])) > 0 for other in free):
                continue
            cell = sums[kind, sample.language]
            best = max(
                (i for i in range(len(open_spans)) if i not in taken and _same(kind, open_spans[i][2])),
                key=lambda i: _shared((begin, end), (open_spans[i][0], open_spans[i][1])),
                default=-1,
            )
            if best >= 0 and _shared((begin, end), (open_spans[best][0], open_spans[best][1])) >= 0.5:
                taken.add(best)
                cell.found += 1
                cell.right += 1
                mine = sums[open_spans[best][2], sample.language]
                mine.recalled += 1
                mine.exact += (begin, end) == open_spans[best][:2]
            else:
                cell.found += 1
                fault = True
        for span in open_spans:
            sums[span[2], sample.language].expected += 1
        if fault or len(taken) < len(open_spans):
            faulty.append(number)
    return sums, faulty


def _merge(cells: Sequence[Sums]) -> Sums:
    whole = Sums()
    for cell in cells:
        for name, value in vars(cell).items():
            setattr(whole, name, getattr(whole, name) + value)
    return whole


def main() -> None:
    """Print the figures, or samples with a fault."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("hand", choices=list(TEMPLATES))
    parser.add_argument("--misses", type=int, default=0)
    parser.add_argument("--unknown", action="store_true")
    parser.add_argument("--found", type=Path)
    arguments = parser.parse_args()
    samples = list(make_samples(arguments.hand))
    if arguments.found:
        lines = arguments.found.read_text("utf-8").splitlines()
        found = [[(begin, end, kind) for begin, end, kind in json.loads(line)] for line in lines]
    else:
        found = find(samples, unknown=arguments.unknown)
    sums, faulty = score(samples, found)
    if arguments.misses:
        for number in faulty[:: max(len(faulty) // arguments.misses, 1)]:
            print(
                json.dumps(
                    {
                        "id": samples[number].id,
                        "text": samples[number].text,
                        "set": samples[number].spans,
                        "found": found[number],
                    },
                    ensure_ascii=False,
                )
            )
        return
    types = sorted({kind for kind, _ in sums})
    languages = sorted({language for _, language in sums})
    table = {
        "samples": len(samples),
        "types": {kind: _merge([sums[kind, language] for language in languages]).figures() for kind in types},
        "languages": {
            language: {kind: sums[kind, language].figures() for kind in types if (kind, language) in sums}
            for language in languages
        },
    }
    print(json.dumps(table, indent=1))


if __name__ == "__main__":
    main()
