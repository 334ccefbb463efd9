"""The story of a sample as people read it: a line or two a step, in order, at most 100 columns wide."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from headwater.cli.rendering import WIDTH, Answer, clean, clean_name, format_count, pairs, wrap

__all__ = ["format_story", "format_trace"]

_LABEL: Final = 14
_NEAREST: Final = 3
_MOST_ROWS: Final = 8
_FAMILIES: Final = ("recaptures", "blocklists")


def format_story(story: Answer, *, measures: bool = False) -> str:
    """Return the story of a sample, from the file it came from to the places where it went.

    Args:
        measures: with every measure and the runs whole.
    """
    verdict = story.get("verdicts")
    state = (
        "not decided yet" if verdict is None else "kept" if verdict["kept"] else f"rejected: {verdict['first_reason']}"
    )
    lines = [clean_name(f"sample {story['sample_id']}  {state}")]
    for miss in story.get("near_misses", ()):
        lines += _told("", miss)
    content = story["content"]
    lines += _told(
        "document", " · ".join(str(content[name]) for name in ("uri", "source", "collected_at") if content.get(name))
    )
    for label, sentence in _sentences(story):
        lines += _told(label, sentence)
    if measures:
        for family in (
            "file",
            "content",
            "captures",
            "language",
            "scores",
            "signals",
            "minhash",
            "tokens",
            "duplicates",
        ):
            lines += pairs(family, {name: value for name, value in story.get(family, {}).items() if value != 0})
    else:
        capture = story.get("captures", {})
        if capture.get("warc_offset") is not None or capture.get("http_status") is not None:
            lines += pairs("capture", {name: value for name, value in capture.items() if name not in _OF_URL})
    for row in story.get("texts", []):
        lines += pairs("extractor", row)
    for family in _FAMILIES:
        lines += pairs(family, story.get(family, {}))
    for family in ("spans", "contamination", "vocabularies"):
        found = story.get(family, [])
        label = "vocabulary" if family == "vocabularies" else family.removesuffix("s")
        for row in found[:_MOST_ROWS]:
            lines += pairs(label, row)
        if len(found) > _MOST_ROWS:
            lines += _told("", f"and {len(found) - _MOST_ROWS} more; --output json has them")
    for run in story["runs"]:
        operators = _operators(story, run["run_id"])
        lines += _told("run", f"{run['run_id']} · code {run['code_version']}{operators}")
    return "\n".join(lines)


_OF_URL: Final = ("host", "registered_domain", "url_key")


def _operators(story: Answer, run_id: str) -> str:
    """Return the operators of a run that the story names, with their versions."""
    steps = [step for step in story.get("steps", ()) if step["run_id"] == run_id and step["version"] is not None]
    told = dict.fromkeys(
        f"{step['operator']} {step['version']}" for step in steps if not isinstance(step["version"], Mapping)
    )
    return f" · {', '.join(told)}" if told else ""


def _told(label: str, sentence: str) -> list[str]:
    """Return a sentence behind its label, wrapped; whatever a document put into it stays on its line."""
    if not sentence:
        return []
    first, *more = wrap(clean_name(sentence), WIDTH - _LABEL - 2)
    return [f"  {label:<{_LABEL}}{first}", *(f"{' ' * (_LABEL + 2)}{piece}" for piece in more)]


def _sentences(story: Answer) -> Iterator[tuple[str, str]]:
    """Yield label and sentence of each line; of the rules those that failed and those that were closest."""
    rules = (story.get("verdicts") or {}).get("rules", [])
    judged = False
    for step in story.get("steps", ()):
        if step["step"] == "rule":
            if not judged:
                yield from _rules(rules)
            judged = True
        elif step["step"] == "scores":
            yield from _scores(story)
        else:
            yield str(step["step"]), str(step["sentence"])
    if not story.get("steps"):
        yield from _scores(story)


def _rules(rules: list[Answer]) -> Iterator[tuple[str, str]]:
    from headwater.lineage.near_misses import nearest_rules

    failed = [rule for rule in rules if rule["outcome"] in ("failed", "missing")]
    for rule in failed:
        words = f" {rule['words']}" if "words" in rule else ""
        values = ", ".join(f"{name} {value}" for name, value in rule["values"].items())
        said = "failed" if rule["outcome"] == "failed" else "could not be asked:"
        yield "rule", f"{said} {rule['rule']}{words} ({rule['passes_when']}; {values})"
    passed = sum(rule["outcome"] == "passed" for rule in rules)
    exempt = sum(rule["outcome"] == "exempt" for rule in rules)
    others = f"; {exempt} do not apply to its domain" if exempt else ""
    near = "".join(f"; {rule['rule']} {rule['words']}" for rule in nearest_rules(rules, _NEAREST))
    yield (
        "rules",
        f"{passed} of {format_count(len(rules), 'rule')} passed{others}{'; closest' if near else ''}{near.replace(';', ':', 1)}",
    )


def _scores(story: Answer) -> Iterator[tuple[str, str]]:
    """Yield the scores, each that is explained on a line of its own with what moved it most."""
    scores = story.get("scores", {})
    explained: Mapping[str, Answer] = story.get("scores_moved", {})
    moved = {name: entry for name, entry in explained.items() if entry.get("moved")}
    rest = [f"{name} {value}" for name, value in scores.items() if name not in moved and value is not None]
    label = "scores"
    if rest:
        yield label, " · ".join(rest)
        label = ""
    for name, entry in moved.items():
        told = ", ".join(f"{each['by']:+.2f} {each['input']}" for each in entry["moved"])
        value = f"{entry['score']:.3f}" if "score" in entry else str(scores[name])
        yield label, f"{name} {value}: {told}"
        label = ""
    for name, entry in explained.items():
        if entry.get("lacking"):
            yield label, f"{name}: not explained, {entry['lacking']}"


def format_trace(found: Answer) -> str:
    """Return a traced token: its place, the text around it with the token in brackets, and the sample's story."""
    place = f"{found['build']} / {found['stage']} / shard {found['shard']} / token {found['token']} (sequence {found['sequence']})"
    lines = [f"{place}: id {found['token_id']}"]
    if found["sample_id"] is None:
        return "\n".join([*lines, "  padding" if found["padding"] else "  belongs to no sample"])
    marked = "<end of text>" if found["end_of_text"] else found["text"]
    lines.append(f"  token {found['sample_token']} of sample {found['sample_id']}, copy {found['copy']}")
    around = clean(f"{found['before']}[{marked}]{found['after']}")
    lines += [f"  | {part}" for line in around.split("\n") for part in wrap(line, WIDTH - 4)]
    if "text_then" in found:
        lines += pairs("text then", found["text_then"])
    return "\n".join([*lines, format_story(found["story"])])
