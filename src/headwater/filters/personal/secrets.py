"""Secrets: keys and tokens by the shape their issuers give them, private keys, passwords in URLs and in assignments.

Facts of shapes: ``data/personal/secrets.toml``. What a shape alone does not settle is settled by the characters: entropy by Shannon
(1948), in bits a character, and no sign of a placeholder. What it loses: keys that are known by their neighbourhood alone (32
hexadecimal digits after a vendor's name), passwords of one word without a digit, secrets broken over lines other than private keys.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections import Counter
from typing import Final

import numpy as np
import numpy.typing as npt

from headwater.filters.personal.found import Found
from headwater.filters.personal.secret_kinds import secret_rules
from headwater.filters.personal.secret_scan import ASSIGNMENT, AZURE, PEM, TELEGRAM, URL, find_candidates
from headwater.filters.personal.types import HIGH, MEDIUM, SECRET

__all__ = ["bits_a_character", "find_secrets"]

_LEAST_KEY_BITS: Final = 3.0
_LEAST_HEX_BITS: Final = 2.6
_LEAST_PASSWORD_BITS: Final = 2.75
_LEAST_LONG_BITS: Final = 3.3
_LONG: Final = 20
_PLACEHOLDER: Final = re.compile(
    r"example|sample|dummy|placeholder|changeme|change[_-]?(?:me|it|this)|your[_-]|insert|replace|redacted|removed|hidden|secret[_-]?key|password|passw0rd|"
    r"xxxx|\*\*\*|\.\.\.|0000000|1234567|abcdef|qwerty|deadbeef|foobar|todo|undefined|<|>|\$|\{|\}|%\(|^%\w+%?$|%[sd]\b|#\{|__",
    re.IGNORECASE,
)
_NOT_PASSWORD: Final = re.compile(
    r"[(\[]|^[A-Za-z_][A-Za-z_]*(?:\.[A-Za-z_]\w*)+$|^[A-Za-z]+\d{0,2}$|^[\d.,:/+-]+$|^(?:https?|file|s3|gs):|^[./~]|^[A-Z][A-Z0-9_]*$|^[a-z]+(?:[_-][a-z0-9]+)+$|^sha\d|^@|^[a-z]+(?:[A-Z][a-z]+)+\d{0,2}$|^\w+(?:\.\w+)+[?&|+*(]|^\w+\.\w+\(?$"
)
_INNER: Final = re.compile(
    r"(?:passw?o?r?d?|pwd|secret|token|api_?key)[\"']?\s*[=:]\s*[\"']?([^\s\"']+)$", re.IGNORECASE
)
_UUID: Final = re.compile(r"^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$", re.IGNORECASE)
_JWT: Final = re.compile(r"^eyJ[\w-]{8,}={0,2}\.[\w-]{8,}={0,2}\.[\w-]{10,}={0,2}$", re.ASCII)
_WHOLE_WORDS: Final = frozenset({"haslo", "hasło", "heslo", "parola", "senha", "pwd", "secret", "token", "lozinka"})
_OTHER_NAMES: Final = re.compile(
    r"(?:csrf|public|next|prev|max|min|num|total|page|sync|continuation|bypass)[_-]?\w*$", re.IGNORECASE
)
_NAME_BYTES: Final = 24


def bits_a_character(text: str) -> float:
    """Return Shannon's entropy of the characters of a text, in bits a character; 0 for an empty one.

    >>> bits_a_character("abab"), bits_a_character("aaaa")
    (1.0, 0.0)
    """
    total = len(text)
    return (
        -math.fsum(count / total * math.log2(count / total) for count in Counter(text).values()) + 0.0 if total else 0.0
    )


def find_secrets(data: npt.NDArray[np.uint8], offsets: npt.NDArray[np.int64]) -> list[Found]:
    """Return the secrets of the texts, by row and begin; places may overlap, ``found.settle`` is for that.

    Args:
        data: UTF-8 bytes of all texts.
        offsets: int64 [n + 1]; text i is data[offsets[i] : offsets[i + 1]].

    >>> import numpy as np
    >>> text = b"key ghp_" + b"x7Qm2vK9pLs4Tn8RbW3c" + b"Zd6FgH1jYe5Ua0Ri here"
    >>> [(each.operator, each.variant, each.begin, each.end) for each in find_secrets(np.frombuffer(text, np.uint8), np.array([0, len(text)]))]
    [('secret:api_key', 'github', 4, 44)]
    """
    found = []
    for row, begin, end, rule, name in find_candidates(data, offsets).tolist():
        first = int(offsets[row])
        value = data[first + begin : first + end].tobytes().decode("utf-8", "replace")
        named = data[first + max(name - _NAME_BYTES, 0) : first + begin].tobytes() if name >= 0 else b""
        judged = _judge(rule, value, named, min(name, _NAME_BYTES))
        if judged is None and rule == ASSIGNMENT and (inner := _INNER.search(value)):
            # An assignment as the value of another: TOKEN = 'PASSWORD=…'.
            begin += len(value[: inner.start(1)].encode())  # noqa: PLW2901 - the secret begins there
            judged = _judge(rule, inner[1], inner[0].encode(), 0)
        if judged is not None:
            kind, variant, confidence = judged
            found.append(
                Found(row=row, begin=begin, end=end, operator=SECRET + kind, variant=variant, confidence=confidence)
            )
    return sorted(found)


def _judge(rule: int, value: str, named: bytes, at: int) -> tuple[str, str, str] | None:
    """Return type, variant and confidence of a candidate, None where it is no secret."""
    if rule == PEM:
        return ("private_key", "pem", HIGH) if len(set(value)) > 24 else None
    if rule == ASSIGNMENT:
        return ("password", "assignment", MEDIUM) if _is_password(value, named, at) else None
    if rule == URL:
        return ("password", "url", MEDIUM) if _is_url_password(value) else None
    if rule == TELEGRAM:
        return ("api_key", "telegram", HIGH) if _is_random(value.partition(":")[2]) else None
    if rule == AZURE:
        return ("api_key", "azure", HIGH) if _is_random(value) else None
    variant, prefix, alphabet, _, _ = secret_rules()[rule]
    if variant == "jwt":
        return ("api_key", "jwt", HIGH) if _is_jwt(value) else None
    rest = value[len(prefix) :]
    if alphabet == "hex":
        return (
            ("api_key", variant, HIGH)
            if bits_a_character(rest) >= _LEAST_HEX_BITS and not _PLACEHOLDER.search(rest)
            else None
        )
    if variant == "openai" and prefix == "sk-" and not (any(map(str.isdigit, rest)) and any(map(str.isalpha, rest))):
        return None
    if alphabet == "word" and not any(map(str.isdigit, rest)):
        return None
    return ("api_key", variant, HIGH) if _is_random(rest) else None


def _is_url_password(value: str) -> bool:
    """Return whether what stands between the user and the @ of a URL is more than a word: documentation writes a word there."""
    return not (_PLACEHOLDER.search(value) or _is_word(value) or re.search(r"[\[\]|*]", value)) and len(set(value)) >= 4


def _is_word(value: str) -> bool:
    """Return whether a value is letters of one case, or with so few capitals that it may be words run together."""
    return value.isalpha() and (value.isupper() or 3 * sum(map(str.isupper, value)) <= len(value))


def _is_random(text: str) -> bool:
    return bits_a_character(text) >= _LEAST_KEY_BITS and not _PLACEHOLDER.search(text)


def _is_jwt(text: str) -> bool:
    """Return whether a text is three parts whose first is a JSON object that names an algorithm (RFC 7519)."""
    if not _JWT.match(text):
        return False
    head = text.partition(".")[0].rstrip("=")
    try:
        decoded = base64.urlsafe_b64decode(head + "=" * (-len(head) % 4))
    except (binascii.Error, ValueError):
        return False
    return decoded[:1] == b"{" and b'"alg"' in decoded


def _is_password(value: str, named: bytes, at: int) -> bool:
    """Return whether a value that is given to a name is a secret: mixed characters, no placeholder, no expression.

    Args:
        value: what is assigned.
        named: bytes before the value, the name among them.
        at: where the name begins in `named`.
    """
    before = named[:at].decode("utf-8", "replace")
    name = re.split(r"[\W\d]", named[at:].decode("utf-8", "replace").lower(), maxsplit=1)[0]
    if before.endswith(":") or re.search(r":[\w.-]+$", before):  # a:password:b, the form of lines of /etc/group
        return False
    if (name in _WHOLE_WORDS and before[-1:].isalpha() and name in {"pwd", "senha", "parola"}) or _OTHER_NAMES.search(
        before
    ):
        return False
    if _PLACEHOLDER.search(value) or _NOT_PASSWORD.search(value) or _UUID.match(value) or value.count(":") > 1:
        return False
    kinds = sum(
        (any(map(str.isdigit, value)), any(map(str.islower, value)), any(map(str.isupper, value)), not value.isalnum())
    )
    if kinds < (2 if any(map(str.isdigit, value)) else 3) or not value.isprintable():
        return False
    return bits_a_character(value) >= (_LEAST_LONG_BITS if len(value) >= _LONG else _LEAST_PASSWORD_BITS)
