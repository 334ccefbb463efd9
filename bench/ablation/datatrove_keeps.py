"""datatrove's side: runs in an environment of its own and knows nothing of Headwater.

``python datatrove_keeps.py LANGUAGE < TEXTS > ANSWERS`` reads one JSON string a line and answers each with ``1`` where the Gopher repetition,
Gopher quality and FineWeb filters, set as for FineWeb (`bench/datatrove_peer.py`), keep the text, else ``0``.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import tempfile
from types import SimpleNamespace


def main() -> None:
    """Answer every line of standard input."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints goes to standard error
    importlib.import_module("datatrove.utils.logging").logger.remove()
    document = importlib.import_module("datatrove.data").Document
    steps = importlib.import_module("bench.datatrove_peer").steps
    with tempfile.TemporaryDirectory() as folder:
        # The language is known here: its filter, and the model that it would ask for, are left out; so is MinHash.
        filters = steps(sys.argv[1], SimpleNamespace(), folder)[0][1:]
        for line in sys.stdin:
            kept = True
            for step in filters:
                try:
                    kept = step.filter(document(text=json.loads(line), id="0")) is True
                except (ArithmeticError, ValueError, AssertionError):
                    kept = False  # texts without words; datatrove's executor would end the run
                if not kept:
                    break
            answers.write(f"{int(kept)}\n")
    answers.close()


if __name__ == "__main__":
    main()
