"""Which files the repository holds."""

from __future__ import annotations

import subprocess
from pathlib import Path

__all__ = ["REPOSITORY", "tracked_files"]

REPOSITORY = Path(__file__).resolve().parents[2]
_GENERATED = {".git", ".venv", ".setup", "build", "dist", "demo-lake", "__pycache__"}


def tracked_files() -> list[Path]:
    """Return the files of the repository: what git tracks, or without git all but what is generated."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    if listed.returncode == 0:
        return [REPOSITORY / name for name in listed.stdout.split("\0") if name and (REPOSITORY / name).is_file()]
    files = (path for path in REPOSITORY.rglob("*") if path.is_file())
    return [
        path
        for path in files
        if not _GENERATED & set(path.relative_to(REPOSITORY).parts) and "egg-info" not in str(path)
    ]
