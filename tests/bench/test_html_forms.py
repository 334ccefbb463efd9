"""Nine forms of mathematics, code and tables, and the table about them in docs/concepts/web-text.md."""

from __future__ import annotations

import pytest
from bench.html_forms import FORMS, ours, verdict

from headwater.filters.html.write import Form
from pages import DOCS


@pytest.mark.parametrize("written_as", ["text", "markdown"])
def test_every_form_is_written_once(written_as: Form) -> None:
    """Every cell, formula and line of code stands in the text once, and the page of docs/ says so."""
    text = ours(written_as)
    assert {form.name: verdict(form, text) for form in FORMS} == dict.fromkeys((form.name for form in FORMS), "once")
    page = (DOCS / "concepts" / "web-text.md").read_text()
    assert all(f"\n| {form.name} | once | once |" in page for form in FORMS)


def test_verdicts_tell_what_is_wrong() -> None:
    """What is missing, altered or there twice is not `once`."""
    by_name = {form.name: form for form in FORMS}
    katex, table = by_name["KaTeX"], by_name["table"]
    assert verdict(katex, "x") == "lost"
    assert verdict(katex, "force2") == "changed"
    assert verdict(katex, r"force \frac{\mathrm{force}}{2}") == "doubled"
    assert verdict(table, "river length basin\nElbe 1094 148268\nOder 840") == "lost"
    assert verdict(table, "river length\nbasin\nElbe 1094 148268\nOder 840 118861") == "changed"
