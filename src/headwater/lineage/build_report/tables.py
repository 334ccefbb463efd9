"""The tables of a stage's report: pools and quotas beside what was asked, cells, languages, domains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

from headwater.lineage.build_report.asked import Quotas, StageAsked
from headwater.lineage.build_report.sums import CellSums, group_of
from headwater.plain import Row

__all__ = ["cell_rows", "domain_rows", "language_rows", "pool_rows", "quota_rows", "share_of", "with_shares"]


def share_of(part: int, whole: int) -> float:
    """Return a share to six decimals; 0 of nothing."""
    return round(part / whole, 6) if whole else 0.0


def pool_rows(asked: StageAsked, cells: Sequence[CellSums], budget: int, tokens: int) -> list[Row]:
    """Return each pool of the recipe's shares, and any other that has tokens: asked and got."""
    found = []
    for pool in dict.fromkeys([*asked.shares, *sorted(cell.pool for cell in cells if cell.tokens)]):
        mine = [cell for cell in cells if cell.pool == pool]
        got = sum(cell.tokens for cell in mine)
        found.append(
            {
                "pool": pool,
                "asked": int(budget * Fraction(repr(asked.shares.get(pool, 0.0)))),
                "asked_share": asked.shares.get(pool, 0.0),
                "tokens": got,
                "share": share_of(got, tokens),
                "documents": sum(cell.documents for cell in mine),
                "tokens_there": sum(cell.tokens_there for cell in mine),
            }
        )
    return found


def quota_rows(asked: StageAsked, cells: Sequence[CellSums]) -> list[Row]:
    """Return each quota by language and by domain: the share of its pool that was asked for and got."""
    found: list[Row] = []
    for kind, quotas in (("language", asked.languages), ("domain", asked.domains)):
        found += _quotas_of(kind, quotas, cells)
    return found


def _quotas_of(kind: str, quotas: Quotas, cells: Sequence[CellSums]) -> list[Row]:
    found = []
    for pool, quota in quotas.items():
        mine = [cell for cell in cells if cell.pool == pool]
        total = sum(cell.tokens for cell in mine)
        for group, share in quota.items():
            # A cell's domain is the quota's own key already.
            members = [
                cell for cell in mine if (cell.domain if kind == "domain" else group_of(cell.language, quota)) == group
            ]
            got = sum(cell.tokens for cell in members)
            found.append(
                {
                    "pool": pool,
                    "kind": kind,
                    "group": group,
                    "asked_share": share,
                    "share": share_of(got, total),
                    "tokens": got,
                }
            )
    return found


def cell_rows(cells: Sequence[CellSums], tokens: int) -> list[Row]:
    """Return the cells with their cuts, by name."""
    return [_cell(cell, tokens) for cell in cells]


def _cell(cell: CellSums, tokens: int) -> Row:
    return {
        "pool": cell.pool,
        "language": cell.language,
        "domain": cell.domain,
        "documents": cell.documents,
        "tokens": cell.tokens,
        "share": share_of(cell.tokens, tokens),
        "documents_there": cell.documents_there,
        "tokens_there": cell.tokens_there,
        "cut": cell.cut,
    }


def language_rows(cells: Sequence[CellSums], tokens: int) -> list[Row]:
    """Return the languages with their share of a stage, most tokens first."""
    found: dict[str, Row] = {}
    for cell in cells:
        held = found.setdefault(cell.language, {"documents": 0, "tokens": 0, "tokens_there": 0})
        held["documents"] += cell.documents
        held["tokens"] += cell.tokens
        held["tokens_there"] += cell.tokens_there
    return _named("language", found, tokens)


def domain_rows(domains: Mapping[str, Row], tokens: int) -> list[Row]:
    """Return the domains with their share of a stage, most tokens first."""
    return _named("domain", domains, tokens)


def _named(kind: str, found: Mapping[str, Row], tokens: int) -> list[Row]:
    """Return rows by name with their share of the stage, most tokens first."""
    named = [{kind: name} | row | {"share": share_of(row["tokens"], tokens)} for name, row in found.items()]
    return sorted(named, key=lambda row: (-row["tokens"], -row["tokens_there"], row[kind]))


def with_shares(found: Sequence[Row], tokens: int) -> list[Row]:
    """Return rows with their share of a stage's tokens."""
    return [row | {"share": share_of(row["tokens"], tokens)} for row in found]
