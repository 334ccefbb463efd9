"""What a page and its headers say of its use: directives for robots, reservations, licences.

Directives: ``<meta name="robots">`` and those of single programs, X-Robots-Tag, ``tdm-reservation`` and ``tdm-policy`` as meta tag and header (see
``robots``). Licences: ``rel="license"`` of links (also the header Link), RDFa and microdata of that name, meta tags of Dublin Core, JSON-LD's
``license`` but for pictures, sound and films; a link to a licence of Creative Commons without any of that, which may be that of one picture,
counts as ``link:``. A kernel finds the nodes in question, the few that there are are read by Python; of a page with more than ``_MOST`` of a
kind the first count.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from headwater.filters.html.attributes import decode_text, holds, name_bytes, next_attribute, word_steps
from headwater.filters.html.licenses import license_mark, names_creative_commons
from headwater.filters.html.nodes import NodeTable
from headwater.filters.html.robots import ROBOT_NAMES, robot_marks, tdm_marks
from headwater.filters.html.tags import AREA, LINK, META, SCRIPT, A
from headwater.filters.html.wanted import Wanted, wanted_elements
from headwater.filters.text.compile import kernel

__all__ = ["MOST_MARKS", "Marks", "page_marks"]

MOST_MARKS: Final = 64
"""Of each list."""
_MOST: Final = 512
_MOST_ATTRIBUTES: Final = 64
_LONGEST: Final = 4096
_MOST_JSON_BYTES: Final = 1 << 20
_MOST_JSON_VALUES: Final = 20_000
_LICENSE_META: Final = frozenset(
    "dc.rights dc.rights.license dc.license dcterms.license dcterms.rights dcterms.rights.license license licence cc:license og:license "
    "dc:rights dcterms:license schema:license copyright-license rights-license".split()
)
_LICENSE_WORDS: Final = frozenset(
    {"license", "licence", "cc:license", "dct:license", "dcterms:license", "schema:license"}
)
_META_NAMES: Final = Wanted(
    keys=("name", "property", "itemprop"),
    values=("robots", "robot", "tdm-reservation", "tdm-policy", *ROBOT_NAMES, *_LICENSE_META),
)
_OTHER_THINGS: Final = re.compile("image|photo|video|audio|media|movie|music", re.IGNORECASE)
_JSON_LICENSE: Final = name_bytes('"license"')
_JSON_STEPS: Final = word_steps(_JSON_LICENSE)
_WANTED: Final = np.frombuffer(b"licencreativecommons", np.uint8)


@dataclass(frozen=True, kw_only=True, slots=True)
class Marks:
    """What a page says of its use: sorted, each mark once, at most ``MOST_MARKS`` of each list."""

    robots: list[str]
    licenses: list[str]


def page_marks(
    html: npt.NDArray[np.uint8], table: NodeTable, headers: Mapping[str, str], url: str | None = None
) -> Marks:
    """Return the marks of a page.

    Args:
        html: normal HTML, uint8 (bytes,).
        headers: of HTTP, names in small letters; several of one name joined by commas.
        url: of the page, against which relative links are read.
    """
    robots = robot_marks(headers.get("x-robots-tag", "")[:_LONGEST])
    robots += tdm_marks(headers.get("tdm-reservation"), headers.get("tdm-policy"))
    declared = list(_of_link_header(headers.get("link", "")[: 4 * _LONGEST]))
    linked: list[str] = []
    for node in wanted_elements(html, table, META, _META_NAMES, _MOST):
        attributes = _attributes(html, table, node)
        content = attributes.get("content", "")
        for key in ("name", "property", "itemprop"):
            name = attributes.get(key, "").strip().lower()
            if name in {"robots", "robot"}:
                robots += robot_marks(content)
            elif name in ROBOT_NAMES:
                robots += robot_marks(content, name)
            elif name == "tdm-reservation":
                robots += tdm_marks(content, None)
            elif name == "tdm-policy":
                robots += tdm_marks(None, content)
            elif name in _LICENSE_META:
                declared.append(content)
    for node in _links(html, table):
        attributes = _attributes(html, table, node)
        target = attributes.get("href", "")
        words = " ".join(attributes.get(key, "") for key in ("rel", "property", "itemprop")).lower().split()
        if not _LICENSE_WORDS.isdisjoint(words):
            declared.append(target)
        elif names_creative_commons(target):
            linked.append(target)
    for text in _linked_data(html, table):
        declared += _licenses_of(text)
    licenses = {mark for value in declared if (mark := license_mark(value, url))}
    others = {mark for value in linked if (mark := license_mark(value, url))} - licenses
    return Marks(
        robots=sorted(set(robots))[:MOST_MARKS],
        licenses=[*sorted(licenses), *sorted(f"link:{mark}" for mark in others)][:MOST_MARKS],
    )


def _attributes(html: npt.NDArray[np.uint8], table: NodeTable, node: int) -> dict[str, str]:
    """Return the first attributes of an element, values cut to what a mark can need."""
    at, finish = int(table.begin[node]), int(table.finish[node])
    found: dict[str, str] = {}
    for _ in range(_MOST_ATTRIBUTES):
        begin, end, value, value_end = next_attribute(html, at, finish)
        if begin < 0:
            break
        name = html[begin : min(end, begin + 64)].tobytes().decode("utf-8", "replace").lower()
        found.setdefault(name, decode_text(html, value, min(value_end, value + _LONGEST)))
        at = value_end + 1 if value > end else end
    return found


@kernel
def _wanted_links(
    html: npt.NDArray[np.uint8],
    tags: npt.NDArray[np.uint8],
    begin: npt.NDArray[np.int64],
    finish: npt.NDArray[np.int64],
    words: npt.NDArray[np.uint8],
    found: npt.NDArray[np.int64],
) -> int:
    """Fill ``found`` with the links among whose attributes stands "licen" or "creativecommons", as ``words`` has them; return how many."""
    count = 0
    for node in range(len(tags)):
        if tags[node] != A and tags[node] != LINK and tags[node] != AREA:
            continue
        hit = False
        for at in range(begin[node], finish[node] - 4):
            first = html[at] | 0x20
            if first not in (0x6C, 0x63):  # l, c
                continue
            start, size = (0, 5) if first == 0x6C else (5, 15)
            if at + size > finish[node]:
                continue
            hit = True
            for place in range(1, size):
                if html[at + place] | 0x20 != words[start + place]:
                    hit = False
                    break
            if hit:
                break
        if hit:
            found[count] = node
            count += 1
            if count == len(found):
                break
    return count


@kernel
def _wanted_scripts(
    html: npt.NDArray[np.uint8],
    tags: npt.NDArray[np.uint8],
    parent: npt.NDArray[np.int32],
    begin: npt.NDArray[np.int64],
    finish: npt.NDArray[np.int64],
    found: npt.NDArray[np.int64],
) -> int:
    """Fill ``found`` with those of the first ``len(found)`` scripts in whose text a licence may stand; return how many."""
    count, scripts = 0, 0
    for node in range(len(tags)):
        if tags[node] != SCRIPT:
            continue
        text = node + 1
        if (
            text < len(tags)
            and parent[text] == node
            and holds(html, begin[text], finish[text], _JSON_LICENSE, _JSON_STEPS)
        ):
            found[count] = node
            count += 1
        scripts += 1
        if scripts == len(found):
            break
    return count


def _links(html: npt.NDArray[np.uint8], table: NodeTable) -> list[int]:
    found = np.empty(_MOST, np.int64)
    count = _wanted_links(html, table.tag, table.begin, table.finish, _WANTED, found)
    return found[:count].tolist()


def _of_link_header(value: str) -> Iterator[str]:
    """Yield the targets of rel="license" of a header Link (RFC 8288, section 3)."""
    for found in re.finditer(r"<([^<>]*)>([^<]*)", value):
        rel = re.search(r";\s*rel\s*=\s*(?:\"([^\"]*)\"|([^\s;,]+))", found[2], re.IGNORECASE)
        if rel and "license" in (rel[1] or rel[2]).lower().split():
            yield found[1]


def _linked_data(html: npt.NDArray[np.uint8], table: NodeTable) -> Iterator[str]:
    """Yield the JSON-LD of a page in which a licence stands."""
    left = _MOST_JSON_BYTES
    found = np.empty(_MOST, np.int64)
    count = _wanted_scripts(html, table.tag, table.parent, table.begin, table.finish, found)
    for node in found[:count].tolist():
        begin, finish = int(table.begin[node + 1]), int(table.finish[node + 1])
        if finish - begin > left:
            continue
        if _attributes(html, table, node).get("type", "").strip().lower() == "application/ld+json":
            left -= finish - begin
            yield decode_text(html, begin, finish, raw=True)


def _licenses_of(text: str) -> Iterator[str]:
    """Yield the licences of the works that JSON-LD describes; nothing of what is no JSON."""
    try:
        values: list[object] = [json.loads(text, strict=False)]
    except (ValueError, RecursionError):
        return
    for _ in range(_MOST_JSON_VALUES):
        if not values:
            return
        value = values.pop()
        if isinstance(value, list):
            values += reversed(value)
        elif isinstance(value, dict) and not _OTHER_THINGS.search(str(value.get("@type", ""))[:_LONGEST]):
            values += [item for key, item in reversed(value.items()) if key != "license"]
            yield from _named(value.get("license"))


def _named(value: object) -> Iterator[str]:
    """Yield the licences that a value of JSON-LD names: a text, a thing with a URL, or a list of them."""
    for item in value[:MOST_MARKS] if isinstance(value, list) else [value]:
        found = item
        if isinstance(item, dict):
            found = next((item[key] for key in ("@id", "url", "name") if isinstance(item.get(key), str)), None)
        if isinstance(found, str):
            yield found[:_LONGEST]
