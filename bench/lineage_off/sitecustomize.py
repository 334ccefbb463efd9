"""Start of every Python process of a job without lineage: Python imports it by this name from the folder that ``bench.lineage_share`` puts first.

What a job writes only so that questions can be answered is left out as soon as the module that writes it is imported: the rows of both indexes and of
placements are neither computed nor written. Their files are there, empty, since a job counts by them what it has done.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import sys
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any  # Any: arguments of whatever function is replaced

__all__: list[str] = []


def _empty(family: str) -> Callable[..., Any]:  # Any: a pyarrow table, which this module must not import yet
    def nothing(*_: Any) -> Any:  # Any: as above
        from headwater.warehouse.schema import arrow_schema

        return arrow_schema(family).empty_table()

    return nothing


_REPLACED = {
    "headwater.pipelines.ingest.task": {"host_index": _empty("host_index"), "_uri_index": _empty("uri_index")},
    "headwater.pipelines.builds.shard_task": {"_placements": _empty("placements")},
}


class _Finder(importlib.abc.MetaPathFinder):
    """Finds the modules that write lineage, and replaces their functions once they are loaded."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Return where a module is that writes lineage; None of any other."""
        if fullname not in _REPLACED:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is None or spec.loader is None:
            raise ImportError(f"expected {fullname}, found none: bench/lineage_off names a module that is gone")
        execute = spec.loader.exec_module

        def replaced(module: ModuleType) -> None:
            execute(module)
            for name, function in _REPLACED[fullname].items():
                if not hasattr(module, name):
                    raise ImportError(f"expected {fullname}.{name}, found none: bench/lineage_off names what is gone")
                setattr(module, name, function)

        spec.loader.exec_module = replaced  # type: ignore[method-assign] # of this one loader
        return spec


sys.meta_path.insert(0, _Finder())
