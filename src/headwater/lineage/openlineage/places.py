"""Where events go: an HTTP endpoint or a file, from the command line, the environment or the recipe, in this order.

The environment is read as OpenLineage's own client reads it, as far as its settings mean something here: OPENLINEAGE_DISABLED, OPENLINEAGE_URL,
OPENLINEAGE_ENDPOINT, OPENLINEAGE_API_KEY, and OPENLINEAGE__TRANSPORT__ with TYPE (http, file), URL, ENDPOINT, TIMEOUT, AUTH and
LOG_FILE_PATH. HEADWATER_OPENLINEAGE_URL is Headwater's own: a URL or a file, before them.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from headwater.errors import UsageError
from headwater.lineage.run_events import OWN_VARIABLE

__all__ = ["ENDPOINT", "TIMEOUT_S", "Endpoint", "check_place", "events_place"]

ENDPOINT: Final = "api/v1/lineage"
TIMEOUT_S: Final = 5.0
_TRANSPORT: Final = "OPENLINEAGE__TRANSPORT__"


@dataclass(frozen=True, kw_only=True, slots=True)
class Endpoint:
    """An HTTP endpoint.

    Attributes:
        url: whole, with the path that takes events.
        api_key: sent as a bearer's token; never shown.
        timeout_s: for a connection and for each answer.
    """

    url: str
    api_key: str | None = None
    timeout_s: float = TIMEOUT_S

    def __repr__(self) -> str:
        """Return it without its key."""
        return f"Endpoint({self.url!r})"


def events_place(given: str | None, recipes: str | None) -> Endpoint | Path | None:
    """Return where events go, or None where they are switched off or nobody asked.

    Args:
        given: what the command line names.
        recipes: what the recipe names.

    Raises:
        UsageError: neither a URL of http or https nor a file in a folder that is there; the message says which setting.
    """
    environment = os.environ
    if environment.get("OPENLINEAGE_DISABLED", "").strip().lower() == "true":
        return None
    if given:
        return check_place(given, "--openlineage")
    if own := environment.get(OWN_VARIABLE):
        return check_place(own, OWN_VARIABLE)
    found = _from_transport(environment)
    if found is None and (url := environment.get("OPENLINEAGE_URL")):
        found = check_place(url, "OPENLINEAGE_URL")
    if found is None and recipes:
        found = check_place(recipes, "lineage.openlineage")
    return found


def check_place(place: str, setting: str) -> Endpoint | Path:
    """Return a place as what it is.

    Args:
        setting: its name, for messages.

    Raises:
        UsageError: as ``events_place``.
    """
    scheme = place.partition("://")[0] if "://" in place else ""
    if scheme in ("http", "https"):
        key = os.environ.get("OPENLINEAGE_API_KEY")
        return _endpoint(place, os.environ.get("OPENLINEAGE_ENDPOINT"), key, TIMEOUT_S, setting)
    if scheme not in ("", "file"):
        raise UsageError(f"{setting}: expected a URL of http or https, or a local file, found a URL of {scheme}")
    file = Path(place.removeprefix("file://"))
    if file.is_dir() or not file.parent.is_dir():
        raise UsageError(f"{setting}: expected a file in a folder that is there, found {file}")
    return file


def _endpoint(url: str, path: str | None, api_key: str | None, timeout_s: float, setting: str) -> Endpoint:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise UsageError(f"{setting}: expected a URL, found none: {error}") from None
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise UsageError(
            f"{setting}: expected a URL without user, password, query and fragment; a key goes into OPENLINEAGE_API_KEY"
        )
    if not parts.hostname:
        raise UsageError(f"{setting}: expected a URL with a host, found {url!r}")
    base = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
    whole = parts.path.rstrip("/").endswith(ENDPOINT) and path is None
    return Endpoint(
        url=base if whole else f"{base}/{(path or ENDPOINT).lstrip('/')}", api_key=api_key, timeout_s=timeout_s
    )


def _from_transport(environment: Mapping[str, str]) -> Endpoint | Path | None:
    """Return the place that the client's own variables name."""
    kind = environment.get(f"{_TRANSPORT}TYPE")
    if kind == "file":
        name = f"{_TRANSPORT}LOG_FILE_PATH"
        return check_place(environment.get(name, ""), name)
    if kind in ("http", "async_http"):
        auth = _auth(environment.get(f"{_TRANSPORT}AUTH"))
        return _endpoint(
            environment.get(f"{_TRANSPORT}URL") or environment.get("OPENLINEAGE_URL", ""),
            environment.get(f"{_TRANSPORT}ENDPOINT") or environment.get("OPENLINEAGE_ENDPOINT"),
            auth or environment.get("OPENLINEAGE_API_KEY"),
            _seconds(environment.get(f"{_TRANSPORT}TIMEOUT")),
            f"{_TRANSPORT}URL",
        )
    if kind not in (None, "noop", "console"):
        raise UsageError(f"{_TRANSPORT}TYPE: expected http or file, found {kind!r}")
    return None


def _auth(value: str | None) -> str | None:
    """Return the key of ``{"type": "api_key", "apiKey": …}``."""
    try:
        found = json.loads(value) if value else {}
    except ValueError:
        found = None
    if not isinstance(found, dict) or not isinstance(found.get("apiKey", ""), str):
        raise UsageError(f'{_TRANSPORT}AUTH: expected {{"type": "api_key", "apiKey": "…"}}, found something else')
    return found.get("apiKey")


def _seconds(value: str | None) -> float:
    try:
        found = float(value) if value else TIMEOUT_S
    except ValueError:
        found = math.nan
    if not 0 < found <= 60:
        raise UsageError(f"{_TRANSPORT}TIMEOUT: expected seconds, above 0 to 60, found {value!r}")
    return found
