"""What other programs find in the evaluation set of personal data, for ``bench.personal_card --found``.

    python -m bench.personal_set final SET
    python bench/personal_peers.py presidio|scrubadub|datatrove SET FOUND        (in an environment that has the peer)
    python -m bench.personal_card final --found FOUND

Presidio 2.2.366: its recognisers of patterns with their checksums, for every country at once, without a model of names, and of what
they find what scores 0.3 or more; scrubadub 2.0.1: its detectors that need no model, in the locale of the language where it has
one; datatrove 0.9: the two expressions of its PII formatter as its documentation describes them, addresses and public IPv4. Their types are
put into ours; a type that a peer does not know stays empty.
"""

from __future__ import annotations

import importlib
import inspect
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

TYPES = {
    "EMAIL_ADDRESS": "email", "IP_ADDRESS": "ip", "PHONE_NUMBER": "phone", "IBAN_CODE": "iban", "CREDIT_CARD": "card",
    "email": "email", "phone": "phone", "credit_card": "card", "IP": "ip",
}  # fmt: skip
NOT_PATTERNS = ("azure", "gliner", "huggingface", "langextract", "remote", "spacy", "stanza", "transformers")
NOT_IDS = (
    "URL",
    "DATE_TIME",
    "CRYPTO",
    "MEDICAL_LICENSE",
    "NRP",
    "LOCATION",
    "PERSON",
    "MAC_ADDRESS",
    "DRIVER_LICENSE",
    "PASSPORT",
    "VEHICLE",
    "BANK",
)
LEAST_SCORE = 0.3
"""Of Presidio: its weakest patterns, which its documentation says need a word beside them, are under that."""
Found = list[tuple[int, int, str]]


def presidio() -> Callable[[str, str], Found]:
    """Return a finder by Presidio's recognisers of patterns."""
    # The list of suffixes that comes with the package, not the network's.
    tld: Any = importlib.import_module("tldextract")
    tld.extract = tld.TLDExtract(suffix_list_urls=())
    recognizers = importlib.import_module("presidio_analyzer.predefined_recognizers")
    pattern = importlib.import_module("presidio_analyzer").LocalRecognizer
    made: list[Any] = []  # Any: Presidio's classes
    for name, each in sorted(vars(recognizers).items()):
        if not (inspect.isclass(each) and issubclass(each, pattern)) or any(
            word in name.lower() for word in NOT_PATTERNS
        ):
            continue
        try:
            made.append(each())
        except Exception as error:
            print(f"left out: {name}: {type(error).__name__}", file=sys.stderr)

    def find(text: str, language: str) -> Found:
        found = []
        for each in made:
            for result in each.analyze(text, each.supported_entities, None) or []:
                kind = TYPES.get(result.entity_type)
                if kind is None and not any(word in result.entity_type for word in NOT_IDS):
                    kind = "national_id"
                if kind is not None and result.score >= LEAST_SCORE:
                    found.append((result.start, result.end, kind))
        return found

    return find


def scrubadub() -> Callable[[str, str], Found]:
    """Return a finder by scrubadub's detectors that come with it."""
    scrub = importlib.import_module("scrubadub")
    locales = {"de": "de_DE", "fr": "fr_FR", "es": "es_ES", "pt": "pt_BR"}
    made: dict[str, Any] = {}  # Any: scrubadub's classes

    def find(text: str, language: str) -> Found:
        locale = locales.get(language, "en_US")
        if locale not in made:
            made[locale] = scrub.Scrubber(locale=locale)
        return [
            (each.beg, each.end, TYPES.get(each.type, "national_id"))
            for each in made[locale].iter_filth(text)
            if each.type in {*TYPES, "social_security_number", "tax_reference_number", "national_insurance_number"}
        ]

    return find


def datatrove() -> Callable[[str, str], Found]:
    """Return a finder by datatrove's formatter."""
    formatter = importlib.import_module("datatrove.pipeline.formatters").PIIFormatter()

    def find(text: str, language: str) -> Found:
        found: Found = []
        for kind, replacer in (("email", formatter.emails_replacer), ("ip", formatter.ip_replacer)):
            for match in replacer.regex.finditer(text):
                if replacer.validator is None or replacer.validator(match.group(0)):
                    found.append((match.start(), match.end(), kind))
        return found

    return find


def _settle(found: Found) -> Iterator[tuple[int, int, str]]:
    """Yield the longest of places that overlap."""
    taken: Found = []
    for each in sorted(set(found), key=lambda item: (item[0] - item[1], item)):
        if all(each[1] <= other[0] or other[1] <= each[0] for other in taken):
            taken.append(each)
            yield each


def main() -> None:
    """Write what a peer finds, a list a line: [[begin byte, end byte, type], …]."""
    find = {"presidio": presidio, "scrubadub": scrubadub, "datatrove": datatrove}[sys.argv[1]]()
    with Path(sys.argv[2]).open(encoding="utf-8") as samples, Path(sys.argv[3]).open("w", encoding="utf-8") as out:
        for line in samples:
            sample = json.loads(line)
            text = sample["text"]
            spans = [
                (len(text[:begin].encode()), len(text[:end].encode()), kind)
                for begin, end, kind in _settle(find(text, sample["language"]))
            ]
            out.write(json.dumps(sorted(spans)) + "\n")


if __name__ == "__main__":
    main()
