"""What a lake answers about sets of samples as a whole: what they reach, and what became of each on two sides. The class ``Lake`` has these."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from headwater.plain import JsonObject

if TYPE_CHECKING:
    from headwater.lineage.names import Names
    from headwater.lineage.training_order import TrainingOrder
    from headwater.pipelines.recipe.job import Recipe

__all__ = ["Reach"]


class Reach:
    """Questions about sets of samples.

    Attributes:
        path: absolute path or URI of the lake.
    """

    path: str

    def impact(
        self,
        *,
        near: float | None = None,
        version: int | None = None,
        build: str | None = None,
        stage: str | None = None,
        order: TrainingOrder | None = None,
        **named: Unpack[Names],
    ) -> JsonObject:
        """Return what the samples that are named reach; ``docs/how-to/impact.md`` has the answer's shape.

        Args:
            near: count near-duplicates from this similarity on as well.
            version: of the table; by default the newest.
            build: only this build.
            stage: only this stage.
            order: how training took the sequences, for the steps; ``headwater.lineage.training_order.TrainingOrder(batch_size=256)``.

        Raises:
            UsageError: nothing is named, nothing is found, or there is no such build or stage.
        """
        from headwater.lineage.named_impact import named_impact

        return named_impact(self.path, named, near=near, version=version, build=build, stage=stage, order=order)

    def forget_order(
        self,
        path: str | Path,
        *,
        build: str,
        stage: str,
        order: TrainingOrder,
        first_step: int,
        last_step: int,
        near: float | None = None,
        **named: Unpack[Names],
    ) -> JsonObject:
        """Write the samples of some training steps in order, those that are named marked: what exact replay without them needs.

        Args:
            path: of a new file, ``.jsonl`` or ``.parquet``.
            near: mark near-duplicates from this similarity on as well.

        Raises:
            UsageError: nothing is named, nothing is found, or no such build, stage, steps or file.
            StorageError: the file cannot be written.
        """
        from headwater.lineage.named_impact import named_forget_order

        return named_forget_order(
            self.path,
            named,
            path,
            build=build,
            stage=stage,
            order=order,
            first_step=first_step,
            last_step=last_step,
            near=near,
        )

    def diff(
        self,
        a: str | Path | Recipe | None = None,
        b: str | Path | Recipe | None = None,
        *,
        versions: tuple[int, int] | None = None,
        examples: int = 3,
    ) -> JsonObject:
        """Return what differs between two builds, recipes or versions, sample by sample; ``docs/how-to/diff.md`` has the answer's shape.

        Args:
            a: name of a build, ``recorded`` for the verdicts as they are, or a recipe: a file, the name of a shipped one, or the object.
            b: the same.
            versions: of the table, in place of ``a`` and ``b``.
            examples: how many samples of each change are named.

        Raises:
            UsageError: no such build, recipe or version, or neither two sides nor versions.
        """
        from headwater.pipelines.what_if.compare import compare

        left, right = (str(side) if isinstance(side, Path) else side for side in (a, b))
        return compare(self.path, left, right, versions=versions, examples=examples)
