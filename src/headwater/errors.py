"""Every exception that Headwater raises on purpose, named for what the caller can do about it.

    HeadwaterError
    ├── UsageError               the call is wrong: change the arguments (exit code 2)
    │   └── RecipeError          the recipe is wrong: change the recipe (exit code 2)
    ├── BadInputError            an input file or record cannot be used: mend or leave out the file
    ├── UnreadableInputsError    input files are gone, changed or forbidden: repair or leave them out, then run again
    ├── MissingDependencyError   something must be installed first: the message says what and how
    │   └── MissingPackageError  a Python package that an extra brings: install the extra (exit code 2)
    ├── LimitError               a query took more time or memory than it may: ask for less, or allow more
    ├── StorageError             the file system refused: free space, permissions, reachability
    │   └── StoreError           an object store did, or a network before it: nothing is known to be damaged
    │       ├── StoreDeniedError     a store refused who asks: correct the keys or grant permission
    │       ├── StoreAbsentError     a store has no such bucket: correct its name, or make it
    │       ├── StoreUnreachableError  no store answers: correct the endpoint, or wait for it
    │       └── StoreTransientError  a store failed again and again: run the same command again
    ├── ConflictError            another writer was faster: read the table again and plan again
    ├── LakeFormatError          another release made the lake: upgrade the lake, or Headwater
    ├── CorruptLakeError         stored bytes differ from what was committed: restore or rebuild
    └── ReconciliationError      counts do not add up: a fault of Headwater, nothing was committed

A message says what was expected, what was found, where, and what to do. Text of documents never appears in one: a sample is named
by its id, a record by its file and number.
"""

from __future__ import annotations

import difflib
import errno
from collections.abc import Iterable

__all__ = [
    "BadInputError",
    "ConflictError",
    "CorruptLakeError",
    "HeadwaterError",
    "LakeFormatError",
    "LimitError",
    "MissingDependencyError",
    "MissingPackageError",
    "RecipeError",
    "ReconciliationError",
    "StorageError",
    "StoreAbsentError",
    "StoreDeniedError",
    "StoreError",
    "StoreTransientError",
    "StoreUnreachableError",
    "UnreadableInputsError",
    "UsageError",
    "nearest",
    "one_line",
    "raise_of_file_system",
]

_SHOWN = 500
_NO_FILE = (None, errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENXIO)
"""What is raised where there is no file, or something else: that is known of the place then; None: a library's own."""
_SHOWN_OF_RECIPES = 1000


def one_line(message: str, most: int = _SHOWN) -> str:
    r"""Return a message as one line of at most ``most`` characters: whatever a file holds may stand in it.

    >>> one_line("a\nb" + 600 * "x")[:6], len(one_line(600 * "x")), len(one_line(5000 * "x "))
    ('a bxxx', 500, 500)
    """
    head, tail = message[: 2 * most], message[-most:]  # so that a message of a gigabyte is not split as a whole
    shown = " ".join(head.split())
    if len(message) <= 2 * most and len(shown) <= most:
        return shown
    end = " ".join(tail.split())[-(most // 3) :]
    return f"{shown[: most - len(end) - 3]} … {end}"


class HeadwaterError(Exception):
    """Root of the tree; the command line prints its message without a traceback and exits with 1."""


class UsageError(HeadwaterError):
    """The call names something that does not exist or asks for something impossible."""


class RecipeError(UsageError):
    """A recipe has an unknown key, an unknown rule, a value out of range or quotas that cannot be met together.

    Its message is one line of bounded length, whatever stands in the recipe.
    """

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message, _SHOWN_OF_RECIPES))


class BadInputError(HeadwaterError):
    """An input file or record that cannot be used; carries a short machine-readable reason.

    Args:
        message: what was expected, what was found, where, and what to do.
        reason: the quarantine reason, for example ``invalid_utf8``.
    """

    def __init__(self, message: str, reason: str = "bad_input") -> None:
        super().__init__(message)
        self.reason = reason


class UnreadableInputsError(HeadwaterError):
    """Input files could not be read, or changed while they were: a run goes no further than the verdicts on the others."""


class MissingDependencyError(HeadwaterError):
    """Java, a model file or a package is not installed."""


class MissingPackageError(MissingDependencyError):
    """A Python package is not installed that one of the extras in ``headwater.extras`` brings."""


class LimitError(HeadwaterError):
    """A query took more time or memory than it was allowed."""


class StorageError(HeadwaterError):
    """The file system refused a read, write, rename or sync: it says nothing of the bytes that are stored."""


class StoreError(StorageError):
    """An object store did not do what it was asked; never a property of a file, and never damage."""


class StoreDeniedError(StoreError):
    """An object store refused who asks: wrong, missing or expired keys, or no permission for this bucket or key."""


class StoreAbsentError(StoreError):
    """An object store has no such bucket, or no such key where one was promised."""


class StoreUnreachableError(StoreError):
    """Nothing answers where an object store should be: a wrong name, no network, or the wrong one of http and https."""


class StoreTransientError(StoreError):
    """An object store failed at every try: too many requests, a fault of its own, a connection that was cut."""


class ConflictError(HeadwaterError):
    """The commit was planned from a snapshot that is no longer the newest; nothing was written to the log."""


class LakeFormatError(HeadwaterError):
    """The lake has another format than this release reads and writes; the message names the command that brings it up to date."""


class CorruptLakeError(HeadwaterError):
    """A file of the lake is missing, changed, misaligned or claimed twice."""


class ReconciliationError(HeadwaterError):
    """Rows in differ from rows out plus rows rejected."""


def raise_of_file_system(error: BaseException, where: str) -> None:
    """Do nothing where an error is a library's complaint about bytes; an error of the file system that they come from is none, and is raised as one.

    Args:
        where: path or URI of the file.

    Raises:
        StorageError: the operating system failed to give the bytes, so nothing is known of them.
    """
    if isinstance(error, OSError) and error.errno not in _NO_FILE:
        raise StorageError(
            f"cannot read {where}: {error.strerror or error.errno}; see that the file can be read, then run the same command again"
        ) from error


def nearest(name: str, known: Iterable[str]) -> str:
    """Return the end of a message about an unknown name: the nearest known one, or all of them when none is near."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    return f"did you mean {near[0]!r}?" if near else f"known: {', '.join(names) or 'none'}"
