"""What Python workers get beside their tasks: the package where only the submission brings it, the keys of the store, word to compile first.

All of it goes through the environment that Spark gives the workers of one context: not into its settings, which its pages and logs show.
"""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from headwater.pipelines.spark.settings import is_local
from headwater.warehouse.storage import worker_environment

if TYPE_CHECKING:
    from pyspark import SparkContext

__all__ = ["equip_workers", "holds_package"]


def equip_workers(context: SparkContext) -> None:
    """Put into the workers' environment what they need, in place of what an earlier call put there.

    Of archives given by ``--py-files`` those that hold Headwater go onto the path of the interpreter: Spark adds archives to it only after its
    daemon, which imports Headwater, has started, and those that end in ``.whl`` never.
    """
    # Travels with each task to its Python worker: no setting of Spark's, which its pages and logs would show.
    context.environment.update(worker_environment())
    local = is_local(context.master or "")
    if not local:
        context.environment["HEADWATER_COMPILE_FIRST"] = "1"
    given = dict(context.getConf().getAll())
    archives = [file for file in given.get("spark.submit.pyFiles", "").split(",") if file and holds_package(file)]
    if archives:
        from pyspark import SparkFiles

        # An executor begins in the folder in which Spark lays these files.
        names = [SparkFiles.get(Path(file).name) if local else Path(file).name for file in archives]
        asked = given.get("spark.executorEnv.PYTHONPATH")
        context.environment["PYTHONPATH"] = os.pathsep.join([*names, *([asked] if asked else [])])


def holds_package(file: str) -> bool:
    """Return whether a file of this machine is an archive with Headwater in it."""
    path = file.removeprefix("file://").removeprefix("file:")
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return "headwater/__init__.py" in archive.namelist()
