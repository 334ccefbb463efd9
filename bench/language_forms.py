"""Print how well each of the 30 languages is identified in the four normalisation forms of Unicode, as a table of Markdown.

    python -m bench.language_forms [SHARED] [--most N]

Read are sentences as ``bench.language_card`` chooses them, at most N a language, from the sources that training never saw; of a language that
has none there, from the course pages. Every sentence is read as it is, and as NFC, NFD, NFKC and NFKD; so are documents of ten
sentences. A cell is the share whose ``language`` is the folder's. ``words`` is how many words a document has as NFD for each one that it has as NFC.
"""

from __future__ import annotations

import argparse
import unicodedata
from pathlib import Path

import pyarrow as pa

from bench.language_card import choose_texts
from bench.language_text import HELD_OUT, read_documents, split_sentences
from headwater.filters.language import identify as language
from headwater.filters.signals import measure as signals

FORMS = ("NFC", "NFD", "NFKC", "NFKD")
_PARTLY_SEEN = ("course-azd", "course-edgeai")
_UNTRANSLATED = {"gnome-help"}  # much of it, in some languages
_IN_A_DOCUMENT = 10


def sentences(shared: Path, tag: str, model: language.LanguageModel, most: int) -> list[str]:
    """Return sentences of a language, of sources that training did not see where there are any."""
    for sources in (sorted(HELD_OUT - _UNTRANSLATED), _PARTLY_SEEN):
        files = [path for source in sources for path in (shared / "corpus" / source).glob(f"{tag}.jsonl.zst")]
        found = [s for path in files for text in read_documents(path) for s in split_sentences(text)]
        if chosen := choose_texts(found, tag, model, most):
            return chosen
    return []


def in_forms(texts: list[str]) -> dict[str, pa.LargeStringArray]:
    """Return the texts in each form, those that a form leaves as they are included."""
    return {
        form: pa.array([unicodedata.normalize(form, text) for text in texts], pa.large_string())  # type: ignore[arg-type]  # one of FORMS
        for form in FORMS
    }


def recalls(texts: list[str], tag: str, model: language.LanguageModel) -> list[float]:
    """Return the share whose language is `tag`, for each form."""
    found = [language.identify(array, model)["language"].to_pylist() for array in in_forms(texts).values()]
    return [labels.count(tag) / len(labels) for labels in found]


def count_words(texts: pa.LargeStringArray, tag: str) -> int:
    """Return the words that the signals count."""
    return sum(signals.measure_signals(texts, pa.array([tag] * len(texts)))["gopher_words"].to_pylist())


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shared", type=Path, nargs="?", default=Path(__file__).resolve().parents[2] / "shared")
    parser.add_argument("--most", type=int, default=500)
    arguments = parser.parse_args()
    model = language.load_model()
    print(f"| language | sentences | {' | '.join(FORMS)} | documents | {' | '.join(FORMS)} | words |")
    print("|---" * (5 + 2 * len(FORMS)) + "|")
    for tag in language.LANGUAGES:
        found = sentences(arguments.shared, tag, model, arguments.most)
        pages = [" ".join(found[begin : begin + _IN_A_DOCUMENT]) for begin in range(0, len(found), _IN_A_DOCUMENT)]
        forms = in_forms(pages)
        words = count_words(forms["NFD"], tag) / count_words(forms["NFC"], tag)
        cells = [f"{share:.3f}" for share in recalls(found, tag, model)]
        whole = [f"{share:.3f}" for share in recalls(pages, tag, model)]
        print(
            f"| {tag} | {len(found)} | {' | '.join(cells)} | {len(pages)} | {' | '.join(whole)} | {words:.3f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
