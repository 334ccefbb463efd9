"""Texts that reason and texts that look as if they did: labelled samples for the models of reasoning, made from the corpus.

A sample knows its source (what is held out together) and its group: `worked` (problems solved step by step), `proof`, `argument` (reasoning
without mathematics), `prose` (technical and other prose that states or tells), and hard negatives: `key` (answers without their ways), `table`,
`statement` (problems and theorems without solutions and proofs), `formulas`, `reference` (signatures and what they do), `prices`, `steps`
(instructions). Lengths of all are drawn alike, so that a model cannot live on them. Deterministic by the seed.
"""

from __future__ import annotations

import random
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final, TypeVar

from bench.records import read_records

__all__ = ["CHAIN", "REASONING", "Sample", "corpus_samples", "own_samples", "read_texts"]

_Item = TypeVar("_Item")

REASONING: Final = {"worked": 1, "proof": 1, "argument": 1}
"""Group → label of `reasoning_density`; every other group is 0."""

CHAIN: Final = {"worked": 1, "proof": None}
"""Group → label of `chain_of_thought`; None: neither, every other group is 0."""

_PARALLEL: Final = ("course-azd", "course-edgeai", "opensource-guide", "gnome-help")
_PROSE: Final = (
    "manpages",
    "libreoffice-help",
    "gimp-help",
    "gnome-help",
    "debian-install-guide",
    "debian-books",
    "package-descriptions",
    "wikipedia-leads",
    "wikipedia-slices",
    "wesnoth-dialogue",
    "tatoeba",
    "course-azd",
    "course-edgeai",
    "quran-translations",
    "english-sentences",
    "fortunes",
)
_STATEMENT: Final = re.compile(
    r"\\begin\{(lemma|theorem|proposition|corollary)\}(.*?)\\end\{\1\}\s*(?:\\begin\{proof\}(.*?)\\end\{proof\})?", re.S
)
_FORMULA: Final = re.compile(r"\$([^$\n]{8,80}=[^$\n]{1,80})\$|\\\[(.{8,120}?)\\\]")
_SIGNATURE: Final = re.compile(
    r"^( *)(?:def|class) ([A-Za-z]\w*)(\([^\n]*?\))?[^\n]*:\n\s+[ru]?\"\"\"(.{20,600}?)\"\"\"", re.M | re.S
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """A text with what it is.

    Attributes:
        id: where it comes from.
        language: BCP 47, that of the folder.
        source: what is held out together.
        group: see the module.
        text: as it is scored.
    """

    id: str
    language: str
    source: str
    group: str
    text: str


def read_texts(path: Path, most: int = 1 << 30) -> list[str]:
    """Return up to `most` texts of a compressed JSONL file, in its order; none where there is no file."""
    return [row["text"] for row in islice(read_records(path, missing_ok=True), most)]


def corpus_samples(corpus: Path, seed: int, each: int = 600) -> list[Sample]:
    """Return the samples of the corpus: about `each` a source and group, a tenth of it a language of prose."""
    chance = random.Random(seed)
    found: list[Sample] = []
    for source, group, language, texts in _all_groups(corpus, chance, each):
        found.extend(
            Sample(id=f"{source}/{group}/{language}/{number}", language=language, source=source, group=group, text=text)
            for number, text in enumerate(texts)
            if len(text) >= 40
        )
    return found


def own_samples(path: Path) -> list[Sample]:
    """Return the short parallel texts of `reasoning_texts.toml`: id, the number of the text, is the same in all languages."""
    found: list[Sample] = []
    for language, groups in tomllib.loads(path.read_text("utf-8")).items():
        for group, texts in groups.items():
            found.extend(
                Sample(id=f"own/{group}/{number}", language=language, source="own", group=group, text=text.strip())
                for number, text in enumerate(texts)
            )
    return found


def _all_groups(corpus: Path, chance: random.Random, each: int) -> Iterator[tuple[str, str, str, list[str]]]:
    grade = [_grade_school(text) for text in _some(read_texts(corpus / "worked-math/en.jsonl.zst"), 4 * each, chance)]
    yield "worked-math", "worked", "en", [_one_of(row, chance) for row in _batches(grade, each, chance)]
    yield (
        "worked-math",
        "statement",
        "en",
        ["\n\n".join(q for q, _, _ in row) for row in _batches(grade, each // 2, chance, 8)],
    )
    yield "worked-math", "key", "en", [_answers(row, chance) for row in _batches(grade, each // 2, chance, 40)]
    contest = [_contest(text) for text in _some(read_texts(corpus / "competition-math/en.jsonl.zst"), 2 * each, chance)]
    pairs = [(problem, solution) for problem, solution in contest if len(solution) > 300]
    yield (
        "competition-math",
        "worked",
        "en",
        [solution if chance.random() < 0.5 else f"{p}\n\n{solution}" for p, solution in pairs[:each]],
    )
    yield "competition-math", "statement", "en", _joined([p for p, _ in pairs], each // 2, chance)
    yield (
        "competition-math",
        "formulas",
        "en",
        [_formula_sheet(rows, chance) for rows in _batches([s for _, s in pairs], each // 3, chance, 12)],
    )
    theory = [
        match.groups()
        for text in read_texts(corpus / "stacks-project/en.jsonl.zst")
        for match in _STATEMENT.finditer(text)
    ]
    theory = _some(theory, 6 * each, chance)
    proofs = [_proof(kind, claim, proof, chance) for kind, claim, proof in theory if proof and len(proof) > 150]
    yield "stacks-project", "proof", "en", _cut(proofs[:each], chance)
    claims = [_claim(kind, claim, chance) for kind, claim, _ in theory]
    yield "stacks-project", "statement", "en", _joined(claims, each // 2, chance)
    yield (
        "stacks-project",
        "formulas",
        "en",
        [
            _formula_sheet(rows, chance)
            for rows in _batches([r[1] + (r[2] or "") for r in theory], each // 3, chance, 25)
        ],
    )
    modules = read_texts(corpus / "python-stdlib/code.jsonl.zst")
    entries = [_entry(match, chance) for text in modules for match in _SIGNATURE.finditer(text)]
    yield "python-stdlib", "reference", "en", _joined(entries, each // 2, chance)
    yield "numbers", "table", "en", [_table(chance) for _ in range(each // 2)]
    for source in _PROSE:
        for path in sorted((corpus / source).glob("*.jsonl.zst")):
            language = path.name.split(".")[0]
            number = each if language == "en" and source != "english-sentences" else each // 10
            texts = read_texts(path, 3000)
            yield source, "prose", language, _cut(_some([t for t in texts if len(t) > 120], number, chance), chance)


def _contest(text: str) -> tuple[str, str]:
    """Part a document of competition-math into problem and solution, "" if none is found."""
    problem, mark, solution = text.partition("\n\n\n")
    if not mark:
        problem, _, solution = text.partition("\n\n")
    return problem.strip(), solution.strip()


def _some(items: list[_Item], number: int, chance: random.Random) -> list[_Item]:
    return chance.sample(items, min(number, len(items)))


def _length(chance: random.Random) -> int:
    """Draw a length in characters: 200 to 3,000, even on a logarithmic scale."""
    return int(200 * 15 ** chance.random())


def _cut(texts: list[str], chance: random.Random) -> list[str]:
    """Cut each text to a drawn length, from a paragraph's start to a line's or sentence's end."""
    found = []
    for text in texts:
        size = _length(chance)
        starts = [0, *(match.end() for match in re.finditer(r"\n\n+", text[: max(len(text) - size, 1)]))]
        part = text[chance.choice(starts) :][:size]
        if len(part) == size:
            stop = max(part.rfind("\n"), part.rfind(". ") + 1, part.rfind("。") + 1)
            part = part[:stop] if stop > size // 2 else part
        found.append(part.strip())
    return found


def _joined(texts: list[str], number: int, chance: random.Random) -> list[str]:
    """Join drawn texts up to drawn lengths."""
    found = []
    for _ in range(number):
        size, parts = _length(chance), [chance.choice(texts)]
        while sum(map(len, parts)) < size:
            parts.append(chance.choice(texts))
        found.append("\n\n".join(parts)[:4000])
    return found


def _batches(items: list[_Item], number: int, chance: random.Random, most: int = 4) -> list[list[_Item]]:
    return [chance.sample(items, min(chance.randint(1, most), len(items))) for _ in range(number)]


def _grade_school(text: str) -> tuple[str, str, str]:
    """Part a problem of worked-math into question, way and answer."""
    question, _, rest = text.partition("\n\n")
    way, _, answer = rest.partition("#### ")
    return question.strip(), way.strip(), answer.strip()


def _one_of(row: list[tuple[str, str, str]], chance: random.Random) -> str:
    """Write worked problems in one of the ways in which they are met: with or without question, marks, answer, lines."""
    style, parts = chance.randrange(5), []
    for number, (question, way, answer) in enumerate(row, 1):
        if style == 0:
            parts.append(f"{question}\n\n{way}\n#### {answer}")
        elif style == 1:
            parts.append(way)
        elif style == 2:
            parts.append(f"{number}. {question}\n{way.replace(chr(10), ' ')} The answer is {answer}.")
        elif style == 3:
            steps = "\n".join(f"Step {at}: {line}" for at, line in enumerate(way.split("\n"), 1))
            parts.append(f"Question: {question}\n{steps}\nAnswer: {answer}")
        else:
            parts.append(f"{question} {way.replace(chr(10), ' ')}")
    return "\n\n".join(parts)


def _answers(row: list[tuple[str, str, str]], chance: random.Random) -> str:
    """Write a list of answers, or of problems with nothing but their answers."""
    style = chance.randrange(5)
    if style == 0:
        return "\n".join(f"{number}. {answer}" for number, (_, _, answer) in enumerate(row * 2, 1))
    if style == 1:
        return "  ".join(f"{number}) {answer}" for number, (_, _, answer) in enumerate(row * 3, 1))
    if style == 2:
        return "\n\n".join(f"Q: {question}\nA: {answer}" for question, _, answer in row[:8])
    if style == 3:
        return "\n".join(f"{number}. x = {answer}" for number, (_, _, answer) in enumerate(row * 2, 1))
    letters = "\n".join(
        f"{number}. ({chance.choice('ABCDE')}) {answer}" for number, (_, _, answer) in enumerate(row * 2, 1)
    )
    return f"Answer key\n\n{letters}"


def _claim(kind: str, claim: str, chance: random.Random) -> str:
    text = re.sub(r"\\label\{[^}]*\}\s*", "", claim).strip()
    if chance.random() < 0.5:
        return f"\\begin{{{kind}}}\n{text}\n\\end{{{kind}}}"
    return f"{kind.capitalize()} {chance.randint(1, 9)}.{chance.randint(1, 40)}. {text}"


def _proof(kind: str, claim: str, proof: str, chance: random.Random) -> str:
    style = chance.randrange(3)
    if style == 0:
        return proof.strip()
    if style == 1:
        return f"{_claim(kind, claim, chance)}\n\nProof. {proof.strip()}"
    return f"{_claim(kind, claim, chance)}\n\n\\begin{{proof}}\n{proof.strip()}\n\\end{{proof}}"


def _formula_sheet(texts: list[str], chance: random.Random) -> str:
    formulas = [(a or b).strip() for text in texts for a, b in _FORMULA.findall(text)]
    style = chance.randrange(3)
    lines = [
        each if style == 0 else f"${each}$" if style == 1 else f"{number}. ${each}$"
        for number, each in enumerate(formulas, 1)
    ]
    return "\n".join(lines)[: _length(chance)]


def _entry(match: re.Match[str], chance: random.Random) -> str:
    _, name, arguments, about = match.groups()
    about = (
        " ".join(about.split("\n\n")[0].split())
        if chance.random() < 0.5
        else "\n".join(line.strip() for line in about.split("\n"))
    )
    return (
        f"{name}{arguments or ''}\n    {about}"
        if chance.random() < 0.5
        else f"### `{name}{arguments or ''}`\n\n{about}"
    )


def _table(chance: random.Random) -> str:
    """Write numbers in rows: products, measurements, prices, marks."""
    style, rows = chance.randrange(5), chance.randint(6, 60)
    if style == 0:
        base = chance.randint(2, 30)
        sign = chance.choice(("×", "x", "*", "+"))
        return "\n".join(f"{base} {sign} {n} = {base + n if sign == '+' else base * n}" for n in range(1, rows))
    if style == 1:
        return "\n".join(
            "\t".join(str(round(chance.uniform(0, 500), chance.randint(0, 3))) for _ in range(5)) for _ in range(rows)
        )
    if style == 2:
        head = "| " + " | ".join(f"x{n}" for n in range(4)) + " |\n|---|---|---|---|\n"
        return head + "\n".join(
            "| " + " | ".join(str(chance.randint(1, 9999)) for _ in range(4)) + " |" for _ in range(rows)
        )
    if style == 3:
        return "\n".join(
            f"{chr(65 + n % 26)}{chance.randint(10, 99)}-{chance.randint(100, 999)}  ${chance.uniform(1, 300):.2f}"
            for n in range(rows)
        )
    return "\n".join(f"f({n}) = {chance.randint(1, 999)}, g({n}) = {chance.randint(1, 999)}" for n in range(1, rows))
