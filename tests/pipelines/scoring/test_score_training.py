"""Training of score models: what is held out, that the same examples give the same bytes, and what a model is worth on what it never saw."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from headwater.cli.root import cli
from headwater.errors import BadInputError, UsageError
from headwater.filters.scores.calibration import probabilities
from headwater.filters.scores.model import ScoreModel
from headwater.filters.scores.shipped import load_scorer, make_scorer
from headwater.pipelines.scoring.calibrate import calibrate
from headwater.pipelines.scoring.evaluate import evaluate_model
from headwater.pipelines.scoring.examples import Examples, measure_examples, read_labelled
from headwater.pipelines.scoring.figures import auc
from headwater.pipelines.scoring.fit import fit_head
from headwater.pipelines.scoring.folds import plan_folds
from headwater.pipelines.scoring.inputs import fitted_inputs, usual_signals
from headwater.pipelines.scoring.train import Trained, TrainSettings, train_model
from headwater.pipelines.scoring.words import WordSettings

FORMAL = {
    "en": "establishment administration constitution jurisdiction parliament represents considerable institutional responsibility".split(),
    "de": "Verfassung Verwaltung Rechtsprechung Zuständigkeit Parlament vertreten Verantwortung Einrichtung Grundsätze".split(),
    "fr": "constitution administration juridiction responsabilité parlement représentation considérable institution principes".split(),
}
PLAIN = {
    "en": "we go to the sea and it is so big you can eat a cake now".split(),
    "de": "wir gehen an den See und er ist so groß du isst nun ein Eis".split(),
    "fr": "on va à la mer et elle est si belle tu peux y aller là".split(),
}
SMALL = ("hw_long_words_fraction", "gopher_mean_word_length", "hw_question_marks", "hw_stop_words_fraction")


def _records(languages: tuple[str, ...] = ("en", "de"), n: int = 60) -> list[dict[str, Any]]:
    """Return documents of long words, label 1, and of short ones, label 0, from two sources a language; every tenth is of the other kind."""
    generator = np.random.default_rng(7)
    found = []
    for language in languages:
        for number in range(2 * n):
            label = number % 2
            formal = bool(label) != (number % 10 >= 8)
            words = generator.choice((FORMAL if formal else PLAIN)[language], 12 + number % 30)
            source = f"{language}-{number // 4 % 2}"
            text = " ".join(words.tolist()).capitalize() + ("." if formal else "?")
            found.append(
                {"text": text, "label": label, "language": language, "source": source, "id": f"{language}{number}"}
            )
    return found


def _examples(tmp_path: Path, records: list[dict[str, Any]]) -> Examples:
    path = tmp_path / "labelled.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records), "utf-8")
    return measure_examples(read_labelled([path]))


def _train(examples: Examples, **changed: Any) -> Trained:
    plain = {"name": "formal", "signals": SMALL}
    return train_model(examples, TrainSettings(**plain | changed))


@pytest.mark.parametrize("kind", ["linear", "trees"])
def test_a_model_is_judged_by_languages_and_sources_that_it_did_not_see(tmp_path: Path, kind: str) -> None:
    """Each is held out in its turn; the figures are far above chance and below certainty, since a tenth of the labels is wrong."""
    made = _train(_examples(tmp_path, _records()), kind=kind)
    held = made.report["held_out"]
    assert set(held) == {"language", "source"}
    assert [row["holds"] for row in held["language"]["folds"]] == ["de", "en"]
    assert [row["holds"] for row in held["source"]["folds"]] == ["de-0", "de-1", "en-0", "en-1"]
    for figures in held.values():
        assert 0.7 < figures["auc"] < 1.0
        assert {row["name"] for row in figures["by_language"]} == {"de", "en"}
        assert len(figures["length_bands"]) == 4
        assert {"too_low", "too_high"} == set(figures["worst"])
        assert all("text" not in row for rows in figures["worst"].values() for row in rows)
    assert set(made.model.calibration) == {"*", "de", "en"}


@pytest.mark.parametrize(
    "changed", [{}, {"kind": "trees"}, {"words": WordSettings(bucket=500, cutoff=600, epoch=2, dim=4, minn=0, maxn=0)}]
)
def test_the_same_examples_give_the_same_bytes(tmp_path: Path, changed: dict[str, Any]) -> None:
    """Trained twice, model, words and report are equal; other labels give another model."""
    examples = _examples(tmp_path, _records(n=40))
    one, two = _train(examples, **changed), _train(examples, **changed)
    assert (one.data, one.words_data, one.report) == (two.data, two.words_data, two.report)
    assert (one.words_data is None) == ("words" not in changed)
    other = dataclasses.replace(examples, targets=1.0 - examples.targets)
    assert _train(other, **changed).data != one.data


def test_what_was_trained_scores_as_it_was_reported(tmp_path: Path) -> None:
    """The file, loaded as a lake loads it, tells labels of a language apart that no example had; with words as well."""
    examples = _examples(tmp_path, _records())
    words = WordSettings(bucket=500, cutoff=600, epoch=3, dim=4, minn=2, maxn=3)
    other = _examples(tmp_path, _records(("fr",)))
    for made in (_train(examples), _train(examples, words=words)):
        scorer = make_scorer(None, made.data, made.words_data, "formal.json")
        figures = evaluate_model(scorer, other)["figures"]
        assert figures["auc"] > 0.7
        assert figures["by_language"][0]["name"] == "fr"


def test_nothing_to_hold_out(tmp_path: Path) -> None:
    """One language and one source are an error that says so; the override is told by the card."""
    one = [record | {"source": "web"} for record in _records(("en",))]
    examples = _examples(tmp_path, one)
    with pytest.raises(UsageError, match=r"by language: only 'en'; by source: only 'web'.*--no-held-out"):
        _train(examples)
    made = _train(examples, held_out=False)
    assert "nothing could be held out" in made.report["held_out"]
    assert made.model.card["settings"]["held_out"] is False  # type: ignore[index] # a table
    split = [record | {"source": f"s{record['label']}"} for record in one]
    with pytest.raises(UsageError, match="without s0 fewer than 20 documents of label 0 are left"):
        _train(_examples(tmp_path, split))


def test_copies_under_two_sources_teach_nothing(tmp_path: Path) -> None:
    """Random texts with random labels, each in two sources, are worth a coin: no text stands on both sides of a fold."""
    generator = np.random.default_rng(5)
    records = []
    for number in range(300):
        words = generator.choice([*FORMAL["en"], *PLAIN["en"]], int(generator.integers(15, 60))).tolist()
        label = int(generator.integers(2))
        record = {"text": " ".join(words), "label": label, "language": "en"}
        records += [record | {"source": source} for source in ("ab", "ba")[number % 2]]
    examples = _examples(tmp_path, records)
    assert (len(examples.ids), examples.copies, examples.contradictions) == (300, 300, 0)
    made = _train(examples, kind="trees", signals=None)
    assert abs(made.report["held_out"]["source"]["auc"] - 0.5) < 0.1
    assert made.report["examples"]["copies_left_out"] == 300
    assert made.model.card["data"]["copies_left_out"] == 300  # type: ignore[index] # a table
    assert made.model.card["settings"]["signals"] == "all but those that grow with the text"  # type: ignore[index] # a table


def test_texts_with_different_labels_are_left_out(tmp_path: Path) -> None:
    """Neither label of such a text counts; train and eval say how many on standard error; of nothing else there is no model."""
    records = _records()
    torn = [record | {"label": 1 - record["label"]} for record in records[:3]]
    examples = _examples(tmp_path, [*records, *torn, records[5]])
    assert (len(examples.ids), examples.copies, examples.contradictions) == (len(records) - 3, 1, 6)
    common = [str(tmp_path / "labelled.jsonl"), "--signals", ",".join(SMALL)]
    done = CliRunner().invoke(cli, ["score", "train", "formal", *common, "--out", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert "1 document left out: exact copies of others" in done.stderr
    assert "6 documents left out: the same text stands with different labels" in done.stderr
    assert "| contradictions left out | 6 |" in (tmp_path / "formal.md").read_text()
    with pytest.raises(UsageError, match="found every text with different labels"):
        _examples(tmp_path, [{"text": "a", "label": 0}, {"text": "a", "label": 1}])


def test_folds_hold_whole_groups(tmp_path: Path) -> None:
    """No language is in two folds, and at most eight folds hold all."""
    records = [record | {"source": f"s{number % 11}"} for number, record in enumerate(_records())]
    by_language, by_source = plan_folds(_examples(tmp_path, records))
    assert (by_language.name, by_source.name) == ("language", "source")
    assert len(by_source.groups) == 8
    assert sorted(name for group in by_source.groups for name in group) == sorted(
        {record["source"] for record in records}
    )


def test_genres(tmp_path: Path) -> None:
    """Names of classes make a model of genres, for domain alone; its figures are F1 by class and language."""
    records = [record | {"label": "informational" if record["label"] else "narrative"} for record in _records()]
    examples = _examples(tmp_path, records)
    made = _train(examples, name="domain")
    assert made.model.classes == ("informational", "narrative")
    assert made.report["held_out"]["language"]["macro_f1"] > 0.7
    scorer = make_scorer(None, made.data, None, "domain.json")
    assert evaluate_model(scorer, examples)["figures"]["accuracy"] > 0.7
    trees = _train(examples, name="domain", kind="trees")
    assert trees.report["held_out"]["language"]["macro_f1"] > 0.7
    with pytest.raises(UsageError, match="formal: expected labels that are numbers"):
        _train(examples)
    with pytest.raises(UsageError, match="domain: expected labels that are names of genres"):
        _train(_examples(tmp_path, _records()), name="domain")
    with pytest.raises(UsageError, match="labels: expected domains among .*, found web"):
        _train(
            _examples(
                tmp_path, [record | {"label": f"{'web' if record['label'] else 'book'}"} for record in _records()]
            ),
            name="domain",
        )


def test_grades(tmp_path: Path) -> None:
    """Grades from 0 to 5 are read as shares of their range, and a document between counts for both sides."""
    records = [record | {"label": record["label"] * 3 + number % 3} for number, record in enumerate(_records())]
    examples = _examples(tmp_path, records)
    assert sorted(set(examples.targets.tolist())) == [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    assert _train(examples).report["held_out"]["language"]["auc"] > 0.7


def test_trees_are_those_of_the_library(tmp_path: Path) -> None:
    """The margins of the written trees are scikit-learn's, as far as the digits that are kept."""
    from sklearn.ensemble import GradientBoostingClassifier

    from headwater.filters.scores.heads import input_values, margins
    from headwater.pipelines.scoring.fit import balanced_weights

    examples = _examples(tmp_path, _records())
    inputs = fitted_inputs(examples, SMALL)
    bare = ScoreModel(name="x", kind="trees", classes=("score",), inputs=inputs, biases=())
    x = input_values(bare, examples.signals, examples.languages.tolist())
    made = fit_head(
        "x", "trees", ("score",), inputs, None, x, examples.targets, examples.languages, strength=1.0, seed=3
    )
    library = GradientBoostingClassifier(
        n_estimators=80, max_depth=3, learning_rate=0.1, min_samples_leaf=20, random_state=3
    )
    labels = examples.targets.astype(np.int64)
    order = np.argsort(labels, kind="stable")
    weights = balanced_weights(examples.languages, labels)
    library.fit(x.T[order], labels[order], sample_weight=weights[order])
    ours = margins(made, x)[0]
    theirs = library.decision_function(x.T)
    assert auc(ours, labels == 1) == pytest.approx(auc(theirs, labels == 1), abs=0.02)
    assert np.mean(np.abs(ours - theirs) < 1e-3) > 0.99  # a document at a threshold may go the other way


def test_calibration_means_the_same_in_every_language() -> None:
    """A language whose margins are shifted and stretched gets numbers of its own, and half is half in both."""
    generator = np.random.default_rng(1)
    targets = np.tile([0.0, 1.0], 500)
    plain = generator.normal(2.0 * targets - 1.0, 1.0)
    margin = np.concatenate([plain, 3.0 * plain + 4.0])
    languages = np.repeat(["en", "fr"], 1000)
    both = np.concatenate([targets, targets])
    found = calibrate(margin, both, languages)
    model = ScoreModel(name="x", kind="linear", classes=("score",), inputs=(), biases=(), calibration=found)
    scores = probabilities(model, margin, languages.tolist())
    assert np.abs(scores[:1000] - scores[1000:]).mean() < 0.03
    assert found["en"][0] > found["fr"][0] > 0


def test_usual_inputs_say_nothing_of_length(tmp_path: Path) -> None:
    """A text three times over has nearly the same inputs; what does not vary is no input."""
    assert not {"gopher_words", "hw_chars", "rpv2_lines"} & set(usual_signals())
    inputs = fitted_inputs(_examples(tmp_path, _records()), None)
    assert "rpv2_lorem_ipsum_ratio" not in {each.signal for each in inputs}
    assert all(each.scale > 0 for each in inputs)
    with pytest.raises(UsageError, match="unknown signal 'hw_urlz'; did you mean 'hw_urls'"):
        fitted_inputs(_examples(tmp_path, _records()), ["hw_urlz"])


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "expected labelled records as JSON Lines, found none"),
        (['{"text": "a"}'], "line 1: expected a number or the name of a class under 'label', found none"),
        (
            ['{"text": "a", "label": NaN}'],
            "line 1: expected a number or the name of a class under 'label', found null or NaN",
        ),
        (['{"label": 1}'], "line 1: expected a text under 'text'"),
        (['{"text": "a", "label": 1}', '{"text": "a", "label": "b"}'], "line 2: expected labels of one kind"),
        (['{"text": "a", "label": 1, "source": 3}'], "line 1: expected a text under 'source'"),
        (['{"text": "a", "label": 1, "language": "en_US"}'], "line 1: .* found 'en_US'; did you mean 'en'"),
        (['{"text": "a", "label": 1}', "nothing"], "line 2: expected a JSON object"),
    ],
)
def test_wrong_records(tmp_path: Path, lines: list[str], message: str) -> None:
    """What is no labelled record is told by its line, never by its text."""
    path = tmp_path / "x.jsonl"
    path.write_text("".join(line + "\n" for line in lines))
    with pytest.raises(BadInputError, match=message):
        read_labelled([path])


def test_commands(tmp_path: Path) -> None:
    """Train writes model, card, report and pictures; eval judges the file; a name that no recipe can use is refused first."""
    path = tmp_path / "labelled.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in _records()), "utf-8")
    folder = tmp_path / "models"
    common = [str(path), "--signals", ",".join(SMALL)]
    done = CliRunner().invoke(
        cli, ["score", "train", "formal", *common, "--out", str(folder), "--about", "formal text", "--output", "json"]
    )
    assert done.exit_code == 0, done.output
    told = json.loads(done.output)
    names = {Path(file).name for file in told["files"]}
    assert {"formal.json", "formal.md", "formal.report.json"} <= names
    card = (folder / "formal.md").read_text()
    assert told["sha256"] in card
    assert "formal text" in card
    assert "Held out by language" in card
    assert load_scorer(folder / "formal.json").model.sha256 == told["sha256"]
    judged = CliRunner().invoke(cli, ["score", "eval", str(folder / "formal.json"), str(path), "--cut", "0.5"])
    assert judged.exit_code == 0, judged.output
    assert told["sha256"] in judged.output
    for wrong in ("domains!", "n_tokens", "select"):
        refused = CliRunner().invoke(cli, ["score", "train", wrong, *common, "--out", str(folder)])
        assert refused.exit_code == 2, refused.output
        assert not (folder / f"{wrong}.json").exists()
    lacking = CliRunner().invoke(cli, ["score", "train", "formal"])
    assert lacking.exit_code == 2
    assert "expected files of labelled records" in lacking.output
