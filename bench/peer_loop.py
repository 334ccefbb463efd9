"""What the programs of the peers share: they read the documents, say what they measure, and time it when they are asked to.

Runs in a peer's own environment, so it needs nothing but Python.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TextIO

__all__ = ["claim_output", "read_documents", "serve"]

_WARM_UP_DOCUMENTS = 2


def claim_output() -> TextIO:
    """Return the stream of the answers; whatever a library prints from now on goes to standard error."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    return answers


def read_documents(path: str) -> list[dict[str, str]]:
    """Return the records ``{"text", "language"}`` of a JSON Lines file."""
    with Path(path).open("rb") as lines:
        return [json.loads(line) for line in lines]


def serve(
    answers: TextIO,
    greeting: Mapping[str, Any],
    measures: Mapping[str, Callable[[list[dict[str, str]]], object]],
    documents: list[dict[str, str]],
) -> None:
    """Greet, then answer each line of standard input, names of families with commas between, with processor and wall seconds.

    Args:
        greeting: version, what each family is measured with, and what is left out and why.
        measures: what measures a family, by its name; called once with little text, so that models are loaded before the clock starts.
        documents: the records that are measured.
    """
    for measure in measures.values():
        measure(documents[:_WARM_UP_DOCUMENTS])
    answers.write(json.dumps({**greeting, "families": list(measures)}) + "\n")
    for request in sys.stdin:
        families = request.strip().split(",")
        cpu, wall = time.process_time(), time.perf_counter()
        for family in families:
            measures[family](documents)
        seconds = {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        answers.write(json.dumps(seconds | {"peak_kilobytes": peak}) + "\n")
