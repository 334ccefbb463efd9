"""The datatrove side: runs in an environment of its own and knows nothing of Headwater.

``python datatrove_peer.py DOCUMENTS MODEL FOLDER`` reads JSON Lines ``{"text", "language"}``, then answers each line on standard input
with one line of JSON. ``every`` gives every document to every step, as Headwater does; ``drop`` is datatrove's own pipeline, where a
document that fails a step does not reach the next.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import os
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

_ENGLISH = "en"
# Where a language has no script in its name, datatrove 0.10.1 takes the last row of its table: for Hindi or Chinese, romanised text.
_SCRIPTS = {
    "ar": "Arab", "bn": "Beng", "el": "Grek", "fa": "Arab", "he": "Hebr", "hi": "Deva", "ja": "Jpan", "ko": "Hang", "ru": "Cyrl",
    "th": "Thai", "uk": "Cyrl", "zh": "Hani",
}  # fmt: skip
_Pipelines = dict[str, tuple[list[Any], Any]]
_Documents = dict[str, list[Any]]


def steps(language: str, model: Any, folder: str) -> tuple[list[Any], Any]:
    """Return the four filters and the MinHash step as FineWeb sets them (datatrove's examples/fineweb.py)."""
    filters = importlib.import_module("datatrove.pipeline.filters")
    dedup = importlib.import_module("datatrove.pipeline.dedup.minhash")
    hashing = importlib.import_module("datatrove.utils.hashing")
    splitter = f"{language}_{_SCRIPTS.get(language, 'Latn')}"
    identify = filters.LanguageFilter(languages=[language])
    # The model of Headwater's side: datatrove would download lid.176.bin, which the quantised lid.176.ftz stands in for.
    identify.model._model = model
    config = dedup.MinhashConfig(
        hash_config=hashing.HashConfig(hash_fc="sha1", precision=64), n_grams=5, num_buckets=14, hashes_per_bucket=8
    )
    # FineWeb-2 has stop words of each language; datatrove ships English ones only, which would drop all other text at the last test.
    stop_words = 2 if language == _ENGLISH else None
    measured = [
        identify,
        filters.GopherRepetitionFilter(language=splitter),
        filters.GopherQualityFilter(language=splitter, min_stop_words=stop_words),
        filters.FineWebQualityFilter(language=splitter),
    ]
    return measured, dedup.MinhashDedupSignature(output_folder=folder, config=config, language=splitter)


def run_every(pipelines: _Pipelines, documents: _Documents, raising: set[str]) -> dict[str, int]:
    """Give every document to every step; those that make a step raise are put into `raising`."""
    n_documents = 0
    for language, (filters, minhash) in pipelines.items():
        for document in documents[language]:
            n_documents += 1
            for step in filters:
                try:
                    step.filter(document)
                except (ArithmeticError, ValueError, AssertionError):
                    raising.add(document.id)
        minhash.run(iter(documents[language]), 0, 1)
    return {"reached_minhash": n_documents, "raised": len(raising)}


def run_drop(pipelines: _Pipelines, documents: _Documents, raising: set[str]) -> dict[str, int]:
    """Run the steps as datatrove's executor chains them; a document that raises would end the run, so those are left out."""
    reached = 0
    for language, (filters, minhash) in pipelines.items():
        stream = (document for document in documents[language] if document.id not in raising)
        for step in filters:
            stream = step.run(stream, 0, 1)
        survivors = list(stream)
        reached += len(survivors)
        minhash.run(iter(survivors), 0, 1)
    return {"reached_minhash": reached}


def main() -> None:
    """Load everything, then serve."""
    documents_file, model_file, folder = sys.argv[1:]
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # whatever a library prints goes to standard error
    importlib.import_module("datatrove.utils.logging").logger.remove()
    document_type = importlib.import_module("datatrove.data").Document
    model = importlib.import_module("fasttext.FastText")._FastText(model_file)
    documents: dict[str, list[Any]] = {}
    with Path(documents_file).open("rb") as lines:
        for number, line in enumerate(lines):
            record = json.loads(line)
            documents.setdefault(record["language"], []).append(document_type(text=record["text"], id=str(number)))
    modes = {"every": run_every, "drop": run_drop}
    pipelines = {language: steps(language, model, tempfile.mkdtemp(dir=folder)) for language in documents}
    # Dictionaries and models are loaded before the clock starts.
    raising: set[str] = set()
    run_every(pipelines, {language: members[:1] for language, members in documents.items()}, raising)
    answers.write(
        json.dumps({"version": importlib.metadata.version("datatrove"), "languages": sorted(documents)}) + "\n"
    )
    for request in sys.stdin:
        pipelines = {language: steps(language, model, tempfile.mkdtemp(dir=folder)) for language in documents}
        # Each run splits its words itself: datatrove keeps those of the last five texts.
        importlib.import_module("datatrove.utils.text").split_into_parts.cache_clear()
        cpu, wall = time.process_time(), time.perf_counter()
        counts = modes[request.strip()](pipelines, documents, raising)
        seconds = {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        answers.write(json.dumps(seconds | counts | {"peak_kilobytes": peak}) + "\n")


if __name__ == "__main__":
    main()
