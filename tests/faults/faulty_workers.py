"""The daemon of Spark's Python workers with a shim in it: ``python -m faulty_workers`` in place of Headwater's own daemon."""

from __future__ import annotations

import os
from pathlib import Path

from shim import Shim, follow_file

from headwater.filters.html.choice_model import load_choice_model
from headwater.pipelines.annotate.compile_kernels import KERNELS
from headwater.pipelines.worker_daemon import main
from headwater.tokenize.forms.load import load_vocabulary
from headwater.tokenize.names import DEFAULT_VOCABULARY

ROOT = "FAULTS_ROOT"
"""Variable that names the folder of the trials, in which ``worker-fault`` says what is to happen."""


def _load_all() -> None:
    """Load what tasks use, so that none of the many workers that trials kill and start needs to."""
    load_vocabulary(DEFAULT_VOCABULARY)
    load_choice_model()
    for part in KERNELS:
        if part.__name__ not in {"compile_page", "_training"}:  # no trial reads a page or trains
            part()


if __name__ == "__main__":
    _load_all()
    root = os.environ[ROOT]
    Shim(root, follow_file(Path(root, "worker-fault"))).install()
    main()
