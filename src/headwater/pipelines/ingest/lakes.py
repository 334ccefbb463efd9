"""Lakes among input folders: what lies below one, by whatever path or link, is never input."""

from __future__ import annotations

from dataclasses import dataclass, field

from pyarrow import fs as pafs

from headwater.warehouse.lake_folders import looks_like_lake

__all__ = ["Lakes"]


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
            self._known[folder] = looks_like_lake(self.filesystem, folder)
        return self._known[folder]
