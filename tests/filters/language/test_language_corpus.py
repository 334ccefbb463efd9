"""`lid_label` and `lid_score` on documents of every file of the corpus, by `make test-all` on all of them, against the fasttext package."""

from __future__ import annotations

from pathlib import Path

import fasttext
import numpy as np
import pyarrow as pa
import pytest
from real_text import distinct_texts

from headwater.filters.language.identify import identify, load_model
from headwater.filters.language.shipped_models import shipped_path

pytestmark = pytest.mark.slow

_TOLERANCE = 1e-5


def test_every_label_of_the_corpus_equals_fasttext(real_text_files: list[Path]) -> None:
    """No document has another label, and no score differs by more than 1e-5; texts that occur twice are asked once."""
    model = load_model()
    peer = fasttext.load_model(str(shipped_path()))
    for name, found_texts in distinct_texts(real_text_files):
        # Of white space alone fasttext says English; ours has no label for it, which test_language holds.
        texts = [text for text in found_texts if text.strip(" \t\n\v\f\r\0")]
        found = identify(pa.array(texts, pa.large_string()), model)
        labels, scores = peer.predict([text.replace("\n", " ") for text in texts]) if texts else ([], [])
        assert found["lid_label"].to_pylist() == [label[0].removeprefix("__label__") for label in labels], name
        difference = np.abs(found["lid_score"].to_numpy() - np.array([score[0] for score in scores]))
        assert difference.max(initial=0) <= _TOLERANCE, name
