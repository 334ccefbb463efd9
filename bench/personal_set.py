"""The evaluation set of personal data: texts in 30 languages with their spans, made by templates with a fixed seed.

    python -m bench.personal_set tuning|held_out|final FILE

Each line of FILE: id, language, hand, text, spans [[begin byte, end byte, type, kind, free]]. A span that is `free` is neither right
nor wrong if found: numbers that libphonenumber does not know, ids without a check digit. A template is written once with valid
values and, where it can be, once with values whose check fails; after each language come its hard negatives. Nothing of a public set
is in here; Faker's locales and the templates of this folder are all there is. `tuning`: our own forms, for finders to be made with;
`held_out`: Faker's forms in other templates, looked at after the first round; `final`: a third set of templates, values of both kinds,
of which nothing was looked at but the figures that are reported.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import tomllib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.personal_negatives import NEGATIVES, make_negative
from bench.personal_values import LOCALES, make_value

__all__ = ["Sample", "make_samples"]

FOLDER = Path(__file__).parent
TEMPLATES = {
    "tuning": "personal_templates.toml",
    "held_out": "personal_held_out.toml",
    "final": "personal_final.toml",
}
SEED = 20261127
ROUNDS = 6
"""Times that each template is filled."""
_SLOT = re.compile(r"\{\{|\}\}|\{(\w+)\}")
_CHECKED = frozenset({"email", "ip", "phone", "iban", "card", "id"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """A text with the bytes that are personal."""

    id: str
    language: str
    hand: str
    text: str
    spans: list[tuple[int, int, str, str, bool]]


def _read(name: str) -> dict[str, Any]:  # Any: TOML's values
    return tomllib.loads((FOLDER / name).read_text("utf-8"))


def _fill(
    rng: random.Random, template: str, language: str, labels: dict[str, list[str]], held_out: bool, valid: bool
) -> tuple[str, list[tuple[int, int, str, str, bool]]] | None:
    """Return a text and its spans; None where the language lacks what a slot asks for."""
    identity = make_value(rng, "id", language, held_out=held_out, valid=valid) if "{id}" in template else None
    if "{id}" in template and identity is None:
        return None
    parts: list[str] = []
    spans = []
    at, begin = 0, 0
    for slot in _SLOT.finditer(template):
        parts.append(template[at : slot.start()])
        begin += len(parts[-1].encode())
        at = slot.end()
        name = slot[1]
        if name is None:
            text, value = slot[0][0], None
        elif name == "label":
            assert identity is not None
            text, value = labels[identity.kind][held_out], None
        else:
            value = (
                identity
                if name == "id"
                else make_value(rng, name, language, held_out=held_out, valid=valid or name not in _CHECKED)
            )
            assert value is not None
            text = value.text
        parts.append(text)
        size = len(text.encode())
        if value is not None and value.type is not None:
            end = begin + size
            inner = len(text[: value.skip_chars].encode())
            for closing in ('"', "'", "@db.example.net/x"):
                if value.kind in ("assignment", "url") and text.endswith(closing):
                    end -= len(closing)
            spans.append((begin + inner, end, value.type, value.kind, value.free))
        begin += size
    parts.append(template[at:])
    return "".join(parts), spans


def make_samples(hand: str) -> Iterator[Sample]:
    """Yield the samples of a hand of ``TEMPLATES``, the same ones always."""
    templates = _read(TEMPLATES[hand])
    labels = _read("personal_labels.toml")
    for language in sorted(LOCALES):
        rng = random.Random(f"{SEED}/{hand}/{language}")
        count = 0
        for round_number in range(ROUNDS):
            chosen = templates[language]["templates"] + rng.sample(templates["any"], min(10, len(templates["any"])))
            for template in chosen:
                slots = set(re.findall(r"\{(\w+)\}", template))
                for valid in (True, False) if slots & _CHECKED and round_number % 2 else (True,):
                    held_out = hand == "held_out" or (hand == "final" and rng.random() < 0.5)
                    filled = _fill(rng, template, language, labels, held_out, valid)
                    if filled is None:
                        continue
                    text, spans = filled
                    yield Sample(id=f"{hand}-{language}-{count}", language=language, hand=hand, text=text, spans=spans)
                    count += 1
            sentence = re.sub(r"\{\w+\}", "…", rng.choice(templates[language]["templates"]))
            for kind in rng.sample(sorted(NEGATIVES), len(NEGATIVES) // 2):
                text = rng.choice(
                    [
                        f"{sentence} {make_negative(rng, kind)}",
                        f"{make_negative(rng, kind)}\n{sentence}",
                        make_negative(rng, kind),
                    ]
                )
                yield Sample(id=f"{hand}-{language}-{count}", language=language, hand=hand, text=text, spans=[])
                count += 1


def main() -> None:
    """Write a hand's samples as JSON Lines."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("hand", choices=list(TEMPLATES))
    parser.add_argument("file", type=Path)
    arguments = parser.parse_args()
    with arguments.file.open("w", encoding="utf-8") as file:
        for sample in make_samples(arguments.hand):
            file.write(json.dumps(asdict(sample), ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
