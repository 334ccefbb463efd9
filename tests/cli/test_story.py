"""The story of a sample as text."""

from __future__ import annotations

from headwater.cli.story import format_story


def test_a_story_says_that_a_model_is_lacking() -> None:
    """As text, a score whose model is gone has its value among the scores and a line that says why nothing explains it."""
    story = {
        "sample_id": "s",
        "file": {},
        "content": {"file_id": "f", "record_no": 1},
        "spans": [],
        "runs": [],
        "scores": {"legal": 50000},
        "scores_moved": {
            "legal": {"model": "0" * 64, "score": 0.763, "lacking": "the lake does not have the model any more"}
        },
    }
    lines = [line for line in format_story(story).splitlines() if "legal" in line]
    assert "legal 50000" in lines[0]
    assert lines[1].strip() == "legal: not explained, the lake does not have the model any more"


def test_a_story_shows_nothing_for_what_is_empty() -> None:
    """A span that has no form of its own is told without one."""
    span = {"operator": "personal:card", "span_begin": 1, "span_end": 20, "variant": "", "confidence": "high"}
    story = {"sample_id": 1, "file": {}, "content": {"record_no": 1}, "spans": [span], "runs": []}
    assert "span_end 20 · confidence high" in format_story(story)


def test_a_story_names_the_newest_capture_and_lists() -> None:
    """Of an older capture stands which sample supersedes it, and of a listed one the list."""
    story = {
        "sample_id": 1,
        "file": {},
        "content": {"record_no": 1},
        "recaptures": {"older_capture": 1, "newest_capture": 107},
        "blocklists": {"listed": {"adult": 1}},
        "spans": [],
        "runs": [],
    }
    lines = format_story(story).splitlines()
    assert lines[-2].split() == "recaptures older_capture 1 · newest_capture 107".split()
    assert lines[-1].split() == 'blocklists listed {"adult": 1}'.split()
