"""Where the package lies: unpacked once where it came as an archive, and where its kernels are kept where its own folder cannot be written.

``spark-submit --py-files headwater-….whl`` gives each executor an archive. Python could import modules out of it, but the models, word lists and
recipes of the package are read from files, and Numba keeps no compiled kernel of a module that has no file. So the archive is unpacked at
the first import, into a folder of this user and machine, for all processes and later applications.

Numba keeps what it compiles beside the modules; of a package in a folder that cannot be written (an image, another user's environment) it would
neither use what lies there compiled already nor, where the home cannot be written either, import at all. So a folder of this user is named to
it, in which links to the kernels of the package are laid.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import sys
import tempfile
from pathlib import Path
from typing import Final

__all__ = ["keep_kernels", "private_folder", "unpack"]

_CACHE: Final = "NUMBA_CACHE_DIR"


def private_folder() -> Path:
    """Return a folder that this user alone can write, made where there is none; what lies there is executed, so another's is not taken.

    It is ``headwater`` in the user's cache, or where that cannot be written ``headwater-UID`` in the folder for temporary files.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser())
    for folder in (cache / "headwater", Path(tempfile.gettempdir(), f"headwater-{os.getuid()}")):
        with contextlib.suppress(OSError, RuntimeError):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            found = folder.lstat()
            own = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o022
            if own and os.access(folder, os.W_OK | os.X_OK):
                return folder
    return Path(tempfile.mkdtemp(prefix="headwater-"))


def unpack(archive: Path) -> Path:
    """Return the folder with the content of an archive of the package; unpacked unless it lies there, and whole whenever it is seen.

    Args:
        archive: a wheel or another zip file. What it holds names the folder, by the archive's own check sums.
    """
    import shutil
    import zipfile

    with zipfile.ZipFile(archive) as opened:
        listed = sorted((entry.filename, entry.CRC, entry.file_size) for entry in opened.infolist())
        name = hashlib.sha256(repr(listed).encode()).hexdigest()[:24]
        folder = private_folder() / f"package-{name}"
        if not folder.is_dir():
            folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            fresh = Path(tempfile.mkdtemp(prefix=f"{folder.name}-", dir=folder.parent))
            try:
                opened.extractall(fresh, [entry[0] for entry in listed if entry[0].startswith("headwater/")])
                with contextlib.suppress(OSError):  # another process was first
                    fresh.rename(folder)
            finally:
                shutil.rmtree(fresh, ignore_errors=True)
    return folder


def keep_kernels(package: Path) -> None:
    """Let Numba keep kernels in a folder of this user where it cannot beside the package; a folder that somebody has named already stays.

    Args:
        package: the folder ``headwater``.
    """
    if os.environ.get(_CACHE) or os.access(package, os.W_OK):
        return
    installed = (package / "__init__.py").stat().st_mtime_ns
    name = hashlib.sha256(b"%s %d" % (os.fsencode(package), installed)).hexdigest()[:24]
    folder = private_folder() / f"kernels-{name}"
    os.environ[_CACHE] = str(folder)
    if "numba" in sys.modules:  # it has read the variable
        sys.modules["numba"].config.CACHE_DIR = str(folder)
    if not folder.is_dir():
        with contextlib.suppress(OSError):  # without the links the kernels are compiled
            _lay_links(package, folder)


def _lay_links(package: Path, folder: Path) -> None:
    """Make a folder in which Numba finds the kernels that lie compiled beside a package's modules.

    Numba keeps a module's kernels in a folder named after its own and the SHA-1 of its path; under another name it finds none, and compiles.
    """
    fresh = Path(tempfile.mkdtemp(prefix=f"{folder.name}-", dir=folder.parent))
    for cache in package.rglob("__pycache__"):
        place = f"{cache.parent.name}_{hashlib.sha1(os.fsencode(cache.parent), usedforsecurity=False).hexdigest()}"
        kernels = [file for file in cache.iterdir() if file.suffix in {".nbi", ".nbc"}]
        if kernels:
            (fresh / place).mkdir()
        for file in kernels:
            (fresh / place / file.name).symlink_to(file)
    with contextlib.suppress(OSError):  # another process was first
        fresh.rename(folder)
        return
    import shutil

    shutil.rmtree(fresh, ignore_errors=True)
