"""Sending events: a line of a file, or a request; what cannot be sent is said once on standard error and stops no job.

A request waits for its answer at most the endpoint's time-out. After one that failed, the next are sent no sooner than a minute later, but
for those that end a run: an endpoint that is down costs a job seconds, not a share of its time.
"""

from __future__ import annotations

import http.client
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from headwater.errors import one_line
from headwater.lineage.openlineage.places import Endpoint
from headwater.plain import ValuesByName
from headwater.version import __version__

__all__ = ["Sender"]

_PAUSE_S: Final = 60.0
_LAST: Final = ("COMPLETE", "FAIL", "ABORT")


class Sender:
    """Sends events to one place."""

    def __init__(self, place: Endpoint | Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._place = place
        self._clock = clock
        self._failed_at: float | None = None
        self._said = False

    def send(self, event: ValuesByName) -> None:
        """Send an event, or say once that none can be sent."""
        paused = self._failed_at is not None and self._clock() - self._failed_at < _PAUSE_S
        if paused and event["eventType"] not in _LAST:
            return
        data = json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
        try:
            if isinstance(self._place, Path):
                _append(self._place, data)
            else:
                _post(self._place, data)
        except (OSError, http.client.HTTPException) as error:
            self._failed_at = self._clock()
            self.say(error)
        else:
            self._failed_at = None

    def say(self, error: Exception) -> None:
        """Say once that events are missing from now on."""
        if not self._said:
            self._said = True
            where = self._place if isinstance(self._place, Path) else self._place.url
            why = (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
            line = one_line(
                f"warning: OpenLineage: an event was not taken by {where}: {why}; the job goes on, this is said once"
            )
            sys.stderr.write(f"{line}\n")


def _append(file: Path, data: bytes) -> None:
    """Add a line in one write, so that lines of several processes do not mix."""
    handle = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        whole = data + b"\n"
        if os.write(handle, whole) != len(whole):
            raise OSError(f"part of an event of {len(whole)} bytes was written")
    finally:
        os.close(handle)


def _post(endpoint: Endpoint, data: bytes) -> None:
    parts = urlsplit(endpoint.url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(str(parts.hostname), parts.port, timeout=endpoint.timeout_s)
    headers = {"Content-Type": "application/json", "User-Agent": f"headwater/{__version__}"}
    if endpoint.api_key:
        headers["Authorization"] = f"Bearer {endpoint.api_key}"
    try:
        connection.request("POST", parts.path, body=data, headers=headers)
        answer = connection.getresponse()
        answer.read(1 << 16)
        if not 200 <= answer.status < 300:
            raise OSError(f"the answer was {answer.status} {answer.reason}")
    finally:
        connection.close()
