"""The daemon of Spark's Python workers with a shim in it: ``python -m faulty_workers`` in place of Headwater's own daemon."""

from __future__ import annotations

import os
from pathlib import Path

from shim import Shim, follow_file

from headwater.pipelines.worker_daemon import main
from headwater.tokenize.forms.load import load_vocabulary
from headwater.tokenize.names import DEFAULT_VOCABULARY

ROOT = "FAULTS_ROOT"
"""Variable that names the folder of the trials, in which ``worker-fault`` says what is to happen."""

if __name__ == "__main__":
    load_vocabulary(DEFAULT_VOCABULARY)  # so that no worker needs to
    root = os.environ[ROOT]
    Shim(root, follow_file(Path(root, "worker-fault"))).install()
    main()
