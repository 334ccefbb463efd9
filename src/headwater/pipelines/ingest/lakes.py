"""Lakes among input folders: what lies below one, by whatever path or link, is never input."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Final

from pyarrow import fs as pafs

from headwater.warehouse.filesystem import is_local, join

__all__ = ["Lakes"]

_TABLE: Final = "samples"
_LOG: Final = "_delta_log"
_FAMILIES: Final = ("family=files", "family=runs")
_MARK: Final = b"headwater lake format"
_HEAD_BYTES: Final = 1 << 20


@dataclass(kw_only=True, slots=True)
class Lakes:
    """Knows the lakes of one file system that it was asked about.

    Attributes:
        filesystem: where the inputs are.
        own: folder of the lake that is being written, which need not be there yet.
    """

    filesystem: pafs.FileSystem
    own: str | None = None
    _known: dict[str, bool] = field(default_factory=dict)

    def above(self, folder: str) -> str | None:
        """Return the lake that ``folder`` is, or lies below; a local path has to be free of links."""
        while True:
            if self.is_lake(folder):
                return folder
            parent = folder.rstrip("/").rpartition("/")[0]
            if not parent or parent == folder:
                return None
            folder = parent

    def is_lake(self, folder: str) -> bool:
        """Return whether a folder is a lake, whatever else it holds."""
        if folder == self.own:
            return True
        if folder not in self._known:
            self._known[folder] = self._looks_like_one(folder)
        return self._known[folder]

    def _looks_like_one(self, folder: str) -> bool:
        log = join(folder, _TABLE, _LOG)
        if not self._is_folder(log):
            return False
        # Other programs have Delta tables that are called samples.
        return any(self._is_folder(join(folder, _TABLE, family)) for family in _FAMILIES) or self._is_described(log)

    def _is_folder(self, path: str) -> bool:
        if is_local(self.filesystem):
            return os.path.isdir(path)  # noqa: PTH112 - a path that may be no UTF-8
        return bool(self.filesystem.get_file_info(path).type == pafs.FileType.Directory)

    def _is_described(self, log: str) -> bool:
        try:
            log.encode()
        except UnicodeEncodeError:
            return False  # delta-rs makes no table under such a path
        entries = sorted(entry.path for entry in self.filesystem.get_file_info(pafs.FileSelector(log)))
        for path in entries:
            if path.endswith(".json"):
                with self.filesystem.open_input_stream(path, compression=None) as stream:
                    return _MARK in bytes(stream.read(_HEAD_BYTES))
        return False
