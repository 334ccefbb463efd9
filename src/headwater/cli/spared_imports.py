"""Imports that a question can do without."""

from __future__ import annotations

import sys
from importlib.abc import MetaPathFinder

__all__ = ["spare_pandas"]


class _NoPandas(MetaPathFinder):
    """Finds no pandas."""

    def find_spec(self, fullname: str, path: object, target: object = None) -> None:  # noqa: ARG002 - importlib's signature
        """Refuse the one package; another finder has every other."""
        if fullname == "pandas":
            raise ModuleNotFoundError("pandas is not needed here", name=fullname)


def spare_pandas() -> None:
    """Keep pyarrow from importing pandas, which takes longer than most answers.

    Where it makes an array it looks whether it was given a frame of pandas, and imports the package to tell, once a process. What asks for pandas
    by name has it all the same. For processes that hand pyarrow no frame.
    """
    if "pandas" in sys.modules:
        return
    import pyarrow as pa

    finder = _NoPandas()
    sys.meta_path.insert(0, finder)
    try:
        pa.array([0])
    finally:
        sys.meta_path.remove(finder)
