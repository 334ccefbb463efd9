"""Spark's classes, loaded and checked once for all later starts of its JVM: an archive of class data that Java maps into memory.

:mod:`make_class_archive` makes it. It belongs to one Java and one Spark and lies in the environment that Headwater is installed in, so that it goes
when that goes (160 MB). Its name holds what it is for and the checksum of its bytes: one that is cut off, damaged or another's is not used, and
Java itself refuses one of another Java or of other jars. Nothing depends on it but time.
"""

from __future__ import annotations

import contextlib
import hashlib
import mmap
import os
import shutil
import stat
import sys
import zlib
from pathlib import Path
from typing import Final

__all__ = ["archive_folder", "archive_key", "archive_name", "find_archive"]

_FOLDER: Final = Path("var", "headwater")
_NAME: Final = "{key}-{size:x}-{checksum:08x}.jsa"
_SPOILS: Final = frozenset("\"'\\{:")
"""What a path may not have in an option of Java: quotes, the keeper's braces, and the colon that parts two archives."""


def find_archive(spark_home: Path) -> Path | None:
    """Return the archive for the Java that would start and this Spark, or None where there is none that may be used.

    Takes a tenth of a second: all bytes are compared with the checksum, since Java would run what is in a damaged archive.
    """
    with contextlib.suppress(OSError):
        key = archive_key(spark_home)
        if key is None:
            return None
        for path in sorted(archive_folder().glob(f"{key}-*.jsa")):
            if not _SPOILS & {*str(path)} and _is_ours(path) and path.name == archive_name(key, path):
                return path
    return None


def archive_folder() -> Path:
    """Return where archives are."""
    return Path(sys.prefix) / _FOLDER


def archive_key(spark_home: Path) -> str | None:
    """Return what an archive is for: the place of Spark, then its version and the Java, both as digests; None without a Java."""
    import pyspark

    home = os.environ.get("JAVA_HOME")
    java = shutil.which("java", path=f"{home}/bin") if home else shutil.which("java")
    if java is None:
        return None
    program = Path(java).resolve()
    found = program.stat()
    what = [pyspark.__version__, str(program), found.st_size, found.st_mtime_ns]
    return f"{_digest(str(spark_home.resolve()))}-{_digest(repr(what))}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def archive_name(key: str, path: Path) -> str:
    """Return the name that an archive with the bytes of this file has."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if not size:
            return ""
        with mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as data:
            return _NAME.format(key=key, size=size, checksum=zlib.crc32(data))


def _is_ours(path: Path) -> bool:
    """Return whether a regular file belongs to this user or to root and nobody else can write it: it holds code that will run."""
    found = path.lstat()
    return stat.S_ISREG(found.st_mode) and found.st_uid in (0, os.geteuid()) and not found.st_mode & 0o022
