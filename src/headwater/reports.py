"""Reports of a lake and its builds: part of ``headwater.lake.Lake``."""

from __future__ import annotations

from headwater.plain import JsonObject, Row

__all__ = ["Reports"]


class Reports:
    """What a lake says of itself, as plain values.

    Attributes:
        path: of the lake.
    """

    path: str

    def report_build(
        self, build: str | None = None, *, stage: str | None = None, samples: int = 20, text: bool = False
    ) -> JsonObject:
        """Return what each stage of a build chose, from where, at which cut; ``docs/how-to/build-report.md`` has the answer's shape.

        Args:
            build: by default the newest selection.
            stage: only this one.
            samples: at the cut on each side, at most 1000.
            text: with the first 200 characters of these.

        Raises:
            UsageError: no such build or stage, or its selection has not ended.
        """
        from headwater.lineage.build_report.answer import build_report

        return build_report(self.path, build, stage=stage, samples=samples, text=text)

    def report_personal(self, type_: str | None = None) -> JsonObject:
        """Return counts of personal data and secrets by type, form, language and source; ``docs/how-to/personal-data.md`` has the answer's shape.

        Args:
            type_: only this one, as ``email``.
        """
        from headwater.lineage.personal_report import personal_report
        from headwater.lineage.views import connect

        with connect(self.path) as connection:
            return personal_report(connection, type_)

    def report_rules(self, reason: str | None = None) -> list[Row]:
        """Return what each rule removes of each language: samples, those of which it is the first reason, of how many, and the share.

        Args:
            reason: only this one, as ``blocklist_ads``.
        """
        from headwater.lineage.rules_report import rules_report
        from headwater.lineage.views import connect

        with connect(self.path) as connection:
            return rules_report(connection, reason)

    def card(self, build: str | None = None) -> JsonObject:
        """Return the data card of a build, with a draft of the EU's public summary; ``docs/how-to/standards.md`` has the answer's shape.

        Args:
            build: by default the one that was built last.

        Raises:
            UsageError: no such build, or it is not finished.
        """
        from headwater.lineage.card.answer import data_card

        return data_card(self.path, build)
