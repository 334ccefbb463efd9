"""Whose text each page has: the recipe's choice over rows of family ``texts``, and the rows of content and captures that follow from it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from headwater.filters.rules.predicates import predicate_connection
from headwater.hashes import content_hashes
from headwater.pipelines.recipe.extractors import CHOICE_COLUMNS
from headwater.warehouse.columns import find_rows, nullable_rows, repeat_text

__all__ = ["KEPT", "OF_CAPTURES", "Replaced", "chosen_extractors", "lay_over", "replace_rows"]

KEPT: Final = -1
"""Stands for a sample whose text is not an extractor's, or of which no extractor has a text: it keeps the one that it has."""
OF_CAPTURES: Final = ("extractor", "page_kind", "blocks_kept", "blocks_left_out", "bytes_left_out", "left_out")
"""Columns of family ``captures`` that say of whom and what the text in ``content`` is."""


class Replaced:
    """Rows of content and captures under a choice.

    Attributes:
        content: rows of family ``content``.
        captures: rows of family ``captures``.
        changed: bool [n]: whose text is another one now.
    """

    __slots__ = ("captures", "changed", "content")

    def __init__(self, content: pa.Table, captures: pa.Table, changed: npt.NDArray[np.bool_]) -> None:
        self.content, self.captures, self.changed = content, captures, changed


def lay_over(ids: npt.NDArray[np.int64], texts: pa.Table) -> pa.Table:
    """Return a row of family ``texts`` for each sample, null where it has none.

    Args:
        ids: int64 [n], ascending.
        texts: rows of some of them.
    """
    return texts.take(nullable_rows(find_rows(ids, texts["sample_id"].to_numpy())))


def chosen_extractors(names: Sequence[str], texts: Sequence[pa.Table], choose: str | None) -> npt.NDArray[np.int64]:
    """Return int64 [n]: the number of the extractor whose text each sample has, or ``KEPT``.

    What the choice gives counts where that extractor has a text; otherwise the first extractor that has one.

    Args:
        names: of the extractors, in the recipe's order.
        texts: of each extractor, a row a sample; see ``lay_over``.
        choose: an expression that ``check_choice`` has passed; None for the first extractor.
    """
    there = np.stack([table["text"].is_valid().to_numpy() for table in texts], axis=1)
    first = np.where(there.any(axis=1), there.argmax(axis=1), KEPT)
    if choose is None:
        return first.astype(np.int64)
    packed = {
        name: pa.StructArray.from_arrays(
            [pc.if_else(table["text"].is_valid(), table[column], None).combine_chunks() for column in CHOICE_COLUMNS],
            list(CHOICE_COLUMNS),
        )
        for name, table in zip(names, texts, strict=True)
    }
    with predicate_connection() as connection:
        connection.register("pages", pa.table(packed))
        found = connection.execute(f"SELECT ({choose}) AS name FROM pages").arrow().read_all()["name"]
    wanted = pc.fill_null(pc.index_in(found.cast(pa.string()), value_set=pa.array(names, pa.string())), 0).to_numpy()
    has = there[np.arange(len(wanted)), wanted] & found.is_valid().to_numpy()
    return np.where(has, wanted, first).astype(np.int64)


def replace_rows(
    content: pa.Table,
    captures: pa.Table,
    names: Sequence[str],
    texts: Sequence[pa.Table],
    chosen: npt.NDArray[np.int64],
    run_id: str,
) -> Replaced:
    """Return rows of content and captures with the texts that were chosen; what is not chosen stays as it is.

    Args:
        content: rows of family ``content``, all columns.
        captures: the same samples of family ``captures``, all columns.
        texts: as of ``chosen_extractors``.
        chosen: its answer.
        run_id: named by rows whose text is another one now.
    """
    at = pa.array(chosen + 1, pa.int64())
    text = _pick(at, content, texts, "text").combine_chunks()
    hashes = content_hashes(text)
    changed = pc.not_equal(hashes, content["content_hash"].combine_chunks()).to_numpy(zero_copy_only=False)
    run = repeat_text(run_id, len(chosen))
    rows: dict[str, pa.Array | pa.ChunkedArray] = {
        "text": text,
        "text_bytes": _pick(at, content, texts, "text_bytes"),
        "content_hash": hashes,
        "run_id": pc.if_else(pa.array(changed), run, content["run_id"]),
    }
    named = [
        table.set_column(table.column_names.index("extractor"), "extractor", repeat_text(name, table.num_rows))
        for name, table in zip(names, texts, strict=True)
    ]
    facts = {name: _pick(at, captures, named, name) for name in OF_CAPTURES}
    facts["run_id"] = pc.if_else(pa.array(chosen != KEPT), run, captures["run_id"])
    return Replaced(
        pa.table({name: rows.get(name, content[name]) for name in content.column_names}),
        pa.table({name: facts.get(name, captures[name]) for name in captures.column_names}),
        changed,
    )


def _pick(at: pa.Int64Array, own: pa.Table, texts: Sequence[pa.Table], name: str) -> pa.ChunkedArray:
    """Return a column whose rows are of the table that ``at`` names: 0 the own one, then those of the extractors."""
    kind = pa.large_string() if name == "text" else own.schema.field(name).type  # together texts may exceed 2 GiB
    found = pc.choose(at, *(table[name].cast(kind).combine_chunks() for table in (own, *texts)))
    return found if isinstance(found, pa.ChunkedArray) else pa.chunked_array([found])
