"""Labelled text from a lake: the documents for which one condition holds, against those for which another does."""

from __future__ import annotations

from headwater.errors import UsageError
from headwater.lineage.views import connect_for_users
from headwater.pipelines.scoring.examples import Labelled

__all__ = ["query_labelled"]


def query_labelled(lake: str, positive: str, negative: str, where: str = "TRUE", most: int = 20_000) -> Labelled:
    """Return documents of a lake with the label 1 where ``positive`` holds and 0 where ``negative`` does.

    The conditions are SQL over the view ``samples``. Of more than ``most`` documents of a label, those of the smallest content hash are taken, so the
    same lake gives the same documents.

    Raises:
        UsageError: a condition that is no query over the views, no document, or documents of both labels.
    """
    found = Labelled(
        texts=[],
        labels=[],
        languages=[],
        sources=[],
        ids=[],
        inputs={"positive": positive, "negative": negative, "where": where},
    )
    with connect_for_users(lake) as connection:
        for label, condition in ((1.0, positive), (0.0, negative)):
            table = connection.execute(
                f"SELECT sample_id, text, language, source FROM samples WHERE ({where}) AND ({condition}) ORDER BY content_hash, origin LIMIT {most}"
            )
            rows = table.fetchall()
            if not rows:
                raise UsageError(
                    f"expected documents of the lake for which ({where}) AND ({condition}) holds, found none"
                )
            for sample, text, language, source in rows:
                found.texts.append(str(text))
                found.labels.append(label)  # type: ignore[arg-type] # numbers throughout
                found.languages.append(None if language is None else str(language))
                found.sources.append("(none)" if source is None else str(source))
                found.ids.append(str(sample))
    if len(set(found.ids)) < len(found.ids):
        raise UsageError("expected conditions that exclude each other, found documents for which both hold")
    return found
