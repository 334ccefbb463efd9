"""The rows of family ``spans``: what operators mark for a build, and the personal data and secrets that are found."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from headwater.filters.personal.find import find_personal
from headwater.filters.spans.find import find_spans

__all__ = ["stored_spans"]


def stored_spans(
    texts: pa.Array | pa.ChunkedArray,
    operators: Sequence[str],
    languages: pa.Array | pa.ChunkedArray | None = None,
    *,
    personal: bool = False,
    secrets: bool = False,
) -> pa.RecordBatch:
    """Return row int32, operator, span_begin and span_end int64 (bytes), action, variant and confidence, sorted by row and begin.

    Spans of operators have an action and do not overlap each other; personal data and secrets have variant and confidence, and stand also where an
    operator's span does: what is found does not hang on what else is left out.

    Args:
        texts: string or large_string [n].
        operators: of ``filters.spans.operators``.
        languages: string [n]; asked for where personal data are.
        personal: whether personal data are looked for.
        secrets: whether secrets are.

    >>> stored_spans(pa.array(["use cookies ann@example.org"]), ["policy_lines"], pa.array(["en"]), personal=True)["operator"].to_pylist()
    ['policy_lines', 'personal:email']
    """
    marked = find_spans(texts, operators)
    nothing = pa.nulls(marked.num_rows, pa.string())
    table = pa.table(
        {**{name: marked[name] for name in marked.schema.names}, "variant": nothing, "confidence": nothing}
    )
    if personal or secrets:
        found = find_personal(texts, languages, personal=personal, secrets=secrets)
        columns = {name: found[name] for name in found.schema.names}
        columns["action"] = pa.nulls(found.num_rows, pa.string())
        table = pa.concat_tables(
            [table, pa.table({name: columns[name] for name in table.column_names})]
        ).combine_chunks()
        order = np.lexsort([table[name].to_numpy() for name in ("span_end", "span_begin", "row")])
        table = table.take(pa.array(order))
    return pa.RecordBatch.from_arrays(
        [table[name].combine_chunks() for name in table.column_names], names=table.column_names
    )
