"""Tries hostile files on every parser for as long as you like; the same seed gives the same files.

    PYTHONPATH=tests/faults:tests/support python -m fuzz --seconds 3600 --seed 7 --found found/

Exit code 1 where something was found; each file is kept in the folder.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from .targets import TARGETS
from .trials import Tried, try_target


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=3600, help="for all parsers together")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--target", action="append", choices=[target.name for target in TARGETS], help="only this one")
    parser.add_argument(
        "--found", type=Path, default=Path("fuzz-found"), help="folder for files that were not taken well"
    )
    given = parser.parse_args()
    targets = [target for target in TARGETS if given.target is None or target.name in given.target]
    total = Tried()
    with tempfile.TemporaryDirectory(prefix="headwater-fuzz-") as folder:
        for target in targets:
            tried = try_target(
                target, given.seed, Path(folder) / target.name.replace(" ", "-"), given.seconds / len(targets)
            )
            total.findings += tried.findings
            print(
                f"{target.name:20} {tried.cases:8} cases, {tried.refused} refused, {tried.read} read, {len(tried.findings)} found"
            )
            for finding in tried.findings:
                given.found.mkdir(parents=True, exist_ok=True)
                kept = given.found / f"{target.name.replace(' ', '-')}-{given.seed}-{finding.case}"
                kept.write_bytes(finding.data)
                print(f"    {kept.name}: {finding.fault}")
            sys.stdout.flush()
    return 1 if total.findings else 0


if __name__ == "__main__":
    sys.exit(main())
