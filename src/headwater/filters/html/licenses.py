"""Licences in one form: an identifier for those of Creative Commons, the normal URL for others.

Identifiers are SPDX's where it has one (``CC-BY-SA-4.0``, ``CC0-1.0``, ``CC-PDM-1.0``), of the same form elsewhere (``CC-BY-2.0-JP``). A text
that is neither a URL nor such a name may name people; it is not repeated: ``rights-statement`` stands for it.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urljoin

from headwater.filters.urls.normalize import normalize_url

__all__ = ["RIGHTS_STATEMENT", "license_mark", "names_creative_commons"]

RIGHTS_STATEMENT: Final = "rights-statement"
_LONGEST: Final = 512
_CODES: Final = "by(?:-nc)?(?:-nd|-sa)?|(?:nc|nd|sa)(?:-(?:nc|nd|sa))*|sampling|sampling\\+|nc-sampling\\+|devnations"
_URL: Final = re.compile(
    rf"(?:https?:)?//(?:[a-z]+\.)?creativecommons\.org/(?:licen[sc]es/(?P<code>{_CODES})|publicdomain/(?P<public>zero|mark))"
    r"(?:/(?P<version>[0-9]\.[0-9])(?:/(?P<place>[a-z]{2,4}|igo|scotland))?)?(?=[/?#.]|$)",
    re.IGNORECASE,
)
_NAME: Final = re.compile(
    r"(?:creative\s*commons|cc)[\s-]*(?:(?P<zero>0|zero)|(?P<code>by(?:[\s-]?nc)?(?:[\s-]?(?:nd|sa))?))[\s-]*(?P<version>[0-9]\.[0-9])?"
    r"(?:\s+(?:international|unported|generic|universal))?",
    re.IGNORECASE,
)
_LANGUAGES: Final = frozenset({"deed", "legalcode", "rdf"})


def names_creative_commons(url: str) -> bool:
    """Return whether a URL is that of a licence of Creative Commons, or of its public domain tools."""
    return _URL.match(url.strip()) is not None


def license_mark(value: str, base: str | None = None) -> str | None:
    """Return a licence in one form, or None where nothing stands there.

    Args:
        value: a URL, a name, or a statement of rights.
        base: URL of the page, against which a relative URL is read.

    >>> license_mark("http://www.creativecommons.org/licenses/by-sa/3.0/de/deed.en"), license_mark("CC BY-NC-ND 4.0")
    ('CC-BY-SA-3.0-DE', 'CC-BY-NC-ND-4.0')
    >>> license_mark("//creativecommons.org/publicdomain/zero/1.0/"), license_mark("(c) 2020 A. Person")
    ('CC0-1.0', 'rights-statement')
    >>> license_mark("/terms#use", "https://Example.org/a"), license_mark("https://opensource.org/licenses/MIT")
    ('https://example.org/terms', 'https://opensource.org/licenses/MIT')
    """
    value = value.strip()[: 8 * _LONGEST]
    if not value:
        return None
    found = _URL.match(value)
    if found:
        return _identifier(found["code"], found["public"], found["version"], found["place"])
    found = _NAME.fullmatch(value)
    if found:
        code = re.sub(r"[\s-]+", "-", re.sub(r"(?i)(nc|nd|sa)", r"-\1", found["code"])) if found["code"] else None
        return _identifier(code, "zero" if found["zero"] else None, found["version"], None)
    url = _url(value, base)
    return url[:_LONGEST] if url else RIGHTS_STATEMENT


def _identifier(code: str | None, public: str | None, version: str | None, place: str | None) -> str:
    name = f"CC-{str(code).upper()}" if public is None else "CC0" if public.lower() == "zero" else "CC-PDM"
    parts = [name, version, place.upper() if place and place.lower() not in _LANGUAGES else None]
    return "-".join(part for part in parts if part)


def _url(value: str, base: str | None) -> str | None:
    """Return a URL in its normal form, None where the value is none; a relative one begins with a slash or a dot."""
    if value.startswith("//"):
        return normalize_url(f"https:{value}")
    if "://" in value[:32] and not re.search(r"\s", value):
        return normalize_url(value)
    if base is not None and value[0] in "/." and not re.search(r"\s", value):
        try:
            return normalize_url(urljoin(base, value))
        except ValueError:  # brackets that are no address
            return None
    return None
