"""Runs programs of a page, each by itself, in the working folder, and prints how many.

Usage: python run_page.py FILE, which holds a JSON list of programs
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from stand_ins import put_stand_ins

programs = json.loads(Path(sys.argv[1]).read_text("utf-8"))
if any("streaming import StreamingDataset" in program and "litdata" not in program for program in programs):
    put_stand_ins()
for program in programs:
    exec(compile(program, "page", "exec"), {"__name__": "page"})  # noqa: S102 - the page's own programs, which this is for
print(json.dumps(len(programs)))
