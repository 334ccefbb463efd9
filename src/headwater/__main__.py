"""``headwater`` and ``python -m headwater``: the command line, or one line that says what it lacks."""

from __future__ import annotations

import sys

from headwater.errors import MissingPackageError
from headwater.extras import needing_extras

__all__ = ["main"]


def main() -> None:
    """Run the command line; without the packages that it is made of, name their extra and exit with 2."""
    try:
        with needing_extras():
            from headwater.cli import main as run
    except MissingPackageError as error:
        sys.exit(_refuse(error))
    run()


def _refuse(error: MissingPackageError) -> int:
    sys.stderr.write(f"Error: {error} (the reader alone is installed; making a lake takes the extra spark)\n")
    return 2


if __name__ == "__main__":
    main()
