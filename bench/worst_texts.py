"""Print what texts that are made to be expensive cost each operator beside ordinary text of the same size, as a table of Markdown.

    python -m bench.worst_texts [--megabytes N] [--operator NAME]… [--text NAME]… [--json]

A cell is processor seconds of the text over those of ordinary text (the corpus, or the text that the package ships), each the least of three runs
in this process; after the slash, what the text costs over a quarter of it: 4 where cost is linear. ``spans`` are those of the shipped recipes,
``all spans`` all operators. Texts of one document are the hardest: no operator may take a document apart.
"""

from __future__ import annotations

import argparse
import json
import time

import pyarrow as pa

from bench.documents import CORPUS, draw
from bench.families import FAMILIES, Batch
from headwater.filters.spans.find import OPERATORS, find_spans

TEXTS = {
    "one letter": "a",
    "words of one letter": "a ",
    "sentences of one letter": "a.",
    "lines of one letter": "a\n",
    "lines of one word": "word\n",
    "only newlines": "\n",
    "blank lines": " \n\t\n",
    "combining marks": "\u0301",
    "marks out of order": "e\u0301\u0316",
    "jamo": "\u1112\u1161\u11ab",
    "emoji with joiners": "👩\u200d👩\u200d👧\u200d👦🏽❤\ufe0f",
    "no spaces": "thequickbrownfox",
    "no spaces, Han": "東京都",
    "no spaces, Thai": "ภาษาไทย",
    "mixed scripts": "aб東ก\u0915한a1 ",
    "numbers": "1,234.5 ",
    "signs before numbers": "- 1",
    "policy lines": "use cookies\n",
    "half phrases": "privacy javascrip use cookie mskivaps ",
    "javascript": "javascript\n",
    "lorem ipsum": "lorem ipsum ",
    "addresses": "a@b.co ",
    "lines of addresses": "a@b.co\n",
    "beginnings of addresses": "a@",
    "unfinished addresses": "a@b.",
    "braces": "{",
    "every token new": "",
}
"""Name → what is repeated; of the empty one, words of which none comes twice."""


_APART = "all spans"
OPERATIONS = ("language", "signals", "minhash", "spans", _APART, "contamination", "tokens")


def _operate(operation: str, texts: pa.LargeStringArray) -> object:
    """Run an operator as ``bench.families`` does, or all operators of spans."""
    if operation == _APART:
        return find_spans(texts, sorted(OPERATORS))
    languages = pa.array(["en"] * len(texts))
    return FAMILIES[operation](Batch(texts=texts, languages=languages, signals=pa.RecordBatch.from_pydict({})))


def make_text(name: str, n_bytes: int) -> str:
    """Return about `n_bytes` of an expensive text."""
    unit = TEXTS[name]
    return (
        unit * (n_bytes // len(unit.encode())) if unit else " ".join(f"{number:05x}" for number in range(n_bytes // 6))
    )


def least_seconds(operation: str, texts: pa.LargeStringArray, runs: int = 3) -> float:
    """Return the least processor time of some runs."""
    least = float("inf")
    for _ in range(runs):
        started = time.process_time()
        _operate(operation, texts)
        least = min(least, time.process_time() - started)
    return least


def measure(operators: list[str], names: list[str], n_bytes: int) -> dict[str, dict[str, tuple[float, float]]]:
    """Return for each text and operator the cost beside ordinary text, and that of four times the text beside the text."""
    documents = draw(CORPUS, n_bytes)
    ordinary = pa.array([document.text for document in documents.documents], pa.large_string())
    base = {operator: least_seconds(operator, ordinary) / documents.n_bytes for operator in operators}
    found: dict[str, dict[str, tuple[float, float]]] = {}
    for name in names:
        texts = [pa.array([make_text(name, size)], pa.large_string()) for size in (n_bytes // 4, n_bytes)]
        sizes = [len(text[0].as_buffer()) for text in texts]
        row = found.setdefault(name, {})
        for operator in operators:
            small, large = (least_seconds(operator, text) for text in texts)
            row[operator] = (large / sizes[1] / base[operator], large / max(small, 1e-9))
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=float, default=4)
    parser.add_argument("--operator", action="append", choices=OPERATIONS)
    parser.add_argument("--text", action="append", choices=TEXTS)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    operators, names = arguments.operator or list(OPERATIONS), arguments.text or list(TEXTS)
    found = measure(operators, names, int(arguments.megabytes * 1e6))
    if arguments.json:
        print(json.dumps(found, indent=1))
        return
    print(f"| text | {' | '.join(operators)} |")
    print("|---" * (1 + len(operators)) + "|")
    for name, row in found.items():
        print(f"| {name} | {' | '.join(f'{times:.1f} / {growth:.1f}' for times, growth in row.values())} |")
    worst = {operator: max(row[operator][0] for row in found.values()) for operator in operators}
    print(f"| worst | {' | '.join(f'{times:.1f}' for times in worst.values())} |")


if __name__ == "__main__":
    main()
