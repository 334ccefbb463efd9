"""``python -m headwater.reader verify DIR``: check a copy of a stage or of a build with its manifests alone."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys

from headwater.errors import HeadwaterError, UsageError
from headwater.reader.verify import verify_copy

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit code: 0 for a whole copy, 1 for a damaged one, 2 for a folder that is none."""
    parser = argparse.ArgumentParser(
        prog="python -m headwater.reader", description="Read what trainers read, without a lake."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    verify = commands.add_parser("verify", help="Check size and SHA-256 of every file, and the roots.")
    verify.add_argument("folder", metavar="DIR", help="Folder of a stage or of a build, or its URI.")
    verify.add_argument(
        "--suffix",
        action="append",
        default=[],
        metavar="END",
        help="Only files that end so, such as .npy, where the copy has no others; may be given more than once.",
    )
    verify.add_argument("--output", choices=["text", "json"], default="text", help="How to print the answer.")
    given = parser.parse_args(arguments)
    try:
        found = verify_copy(given.folder, given.suffix)
    except HeadwaterError as error:
        sys.stderr.write(f"Error: {error}\n")
        return 2 if isinstance(error, UsageError) else 1
    if given.output == "json":
        sys.stdout.write(json.dumps(dataclasses.asdict(found), indent=2, sort_keys=True) + "\n")
    else:
        lines = [f"{name}: {fault}" for name, fault in found.damaged.items()]
        state = "whole" if not found.damaged else f"{len(found.damaged)} damaged"
        lines += [f"{found.files} files, {found.bytes} bytes: {state}"]
        lines += [f"root {found.root or 'none: an earlier release wrote it'}"]
        sys.stdout.write("\n".join(lines) + "\n")
    return 1 if found.damaged else 0


if __name__ == "__main__":
    sys.exit(main())
