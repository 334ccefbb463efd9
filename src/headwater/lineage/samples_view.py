"""The wide row, and for one statement only what it can ask for: of all aligned families those of which it names a column, of files those in reach.

DuckDB cannot know that a family has at most one row a sample, so it makes every join that a view names, whether a column is asked for or not, and
opens every file of a list. The syntax tree of a statement tells which names it may use: the families that have none of them are left out, and where
one that is asked for covers every sample, so is ``content``. A condition on ``sample_id`` leaves out files by the statistics of the table's log.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from headwater.lineage.sample_bounds import sample_bounds
from headwater.lineage.sql_check import syntax_nodes
from headwater.lineage.view_sources import files_query
from headwater.plain import JsonObject
from headwater.warehouse.schema import ALIGNED, FAMILIES
from headwater.warehouse.snapshot import Snapshot

__all__ = ["SamplesView"]

_VIEW: Final = "samples"
_UNNAMED: Final = frozenset(["PIVOT", "POSITIONAL_REFERENCE", "SHOW_REF", "STAR"])
"""Parts of a statement that use columns without naming them."""
_JOINS: Final = frozenset(["CROSS", "REGULAR"])
"""Kinds of join that name what they join by; a natural one does not."""
_FEW_FILES: Final = 16
"""So many are opened in less time than it takes to leave some out."""


class SamplesView:
    """The views of one version of the lake, as one statement needs them.

    Args:
        place: the table's folder on this machine, by its real name; None where DuckDB does not open the files itself.
    """

    def __init__(self, snapshot: Snapshot, place: str | None) -> None:
        self._snapshot = snapshot
        self._place = place
        self._family = {name: family for family in ALIGNED for name in self._columns(family)}

    def _columns(self, family: str) -> list[str]:
        return [*FAMILIES[family].fields, *(self._snapshot.own_scores if family == "scores" else ())]

    def whole(self) -> str:
        """Return the query of the wide row with every column."""
        return self._joined(ALIGNED, list(self._family))

    def queries(self, tree: JsonObject) -> Mapping[str, str]:
        """Return view → query that may stand in its place for one statement, in the order in which they lead to each other.

        Args:
            tree: of the statement, as DuckDB's parser gives it.
        """
        tables = {str(node["table_name"]).lower() for node in syntax_nodes(tree) if node.get("type") == "BASE_TABLE"}
        found: dict[str, str] = {}
        families: Sequence[str] = [family for family in FAMILIES if family in tables]
        named = None
        if _VIEW in tables:
            named = _names(tree)
            families = ALIGNED if named is None else self._asked(named)
        bounds = sample_bounds(tree) if self._place is not None else None
        if bounds is not None:
            for family in families:
                near = self._near(family, *bounds)
                if near is not None:
                    found[family] = files_query(self._snapshot, family, near, self._place or "")
        if _VIEW in tables and (found or named is not None):
            columns = [name for name in self._family if named is None or name.lower() in named]
            found[_VIEW] = self._joined(families, columns)
        return found

    def _asked(self, named: frozenset[str]) -> list[str]:
        """Return the families to join for some columns, the first of which has a row for every sample."""
        asked = {self._family[name] for name in self._family if name.lower() in named}
        families = [family for family in ALIGNED if family in asked]
        may_lead = [] if "content" in asked or "batch" in named else families
        base = next((family for family in may_lead if self._covers(family)), "content")
        return [base, *(family for family in families if family != base)]

    def _joined(self, families: Sequence[str], columns: Sequence[str]) -> str:
        base, *others = families
        wide = ["sample_id", *(["content.batch"] if base == "content" else [])]
        wide += [f'{self._family[name]}."{name}"' for name in columns]
        joins = "".join(f" LEFT JOIN {family} USING (sample_id)" for family in others)
        return f"SELECT {', '.join(wide)} FROM {base}{joins}"

    def _covers(self, family: str) -> bool:
        """Return whether a family has a row for every sample: those of a fragment are exactly content's."""
        files, content = self._snapshot.live(family), self._snapshot.live("content")
        return (
            not FAMILIES[family].may_lack
            and pc.sum(files["rows"]).as_py() == pc.sum(content["rows"]).as_py()
            and np.array_equal(self._snapshot.covered(family), self._snapshot.covered("content"))
        )

    def _near(self, family: str, low: int, high: int) -> pa.Table | None:
        """Return the files of a family that may hold samples of a range; None where all may, or there are few anyhow."""
        files = self._snapshot.live(family)
        if not FAMILIES[family].by_sample or files.num_rows <= _FEW_FILES:
            return None
        # A file whose statistics are not known may hold any.
        within = pc.and_(
            pc.fill_null(pc.less_equal(files["min_id"], high), fill_value=True),
            pc.fill_null(pc.greater_equal(files["max_id"], low), fill_value=True),
        )
        return files.filter(within)


def _names(tree: JsonObject) -> frozenset[str] | None:
    """Return every name in a statement that could be a column's, in small letters; None where some are used that are not written."""
    names: set[str] = set()
    rows: set[str] = set()
    tables: set[str] = set()
    for node in syntax_nodes(tree):
        kind, of = str(node.get("type")), node.get("class")
        if of in _UNNAMED or kind in _UNNAMED or node.get("schema_name") == "information_schema":
            return None
        if of == "COLUMN_REF":
            found = [str(name).lower() for name in node["column_names"]]
            names.update(found)
            rows.add(found[-1])
        elif kind == "JOIN":
            if node["ref_type"] not in _JOINS:
                return None
            names.update(str(name).lower() for name in node["using_columns"])
        elif kind == "BASE_TABLE" and str(node["table_name"]).lower() == _VIEW:
            if node["column_name_alias"] or node["at_clause"] or node["sample"]:
                return None
            tables.add(str(node["alias"] or _VIEW).lower())
    # A table's name in place of a column stands for a row of all of them.
    return None if rows & tables else frozenset(names)
