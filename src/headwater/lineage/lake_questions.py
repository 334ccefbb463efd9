"""The questions about samples that ``headwater.Lake`` answers: why, where, what is nearly the same, what a token is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Unpack

from headwater.errors import UsageError
from headwater.plain import JsonObject

if TYPE_CHECKING:
    from datasketch import MinHash

    from headwater.lineage.names import Names, OtherNames

__all__ = ["LakeQuestions"]


class LakeQuestions:
    """What a lake is asked about samples; nothing is read before it is.

    Attributes:
        path: absolute path or URI of the lake.
    """

    path: str

    def why(
        self,
        sample: int | None = None,
        *,
        text: str | None = None,
        limit: int | None = 1000,
        **named: Unpack[OtherNames],
    ) -> list[JsonObject]:
        """Return the whole story of each sample that is named; ``docs/how-to/lineage.md`` has the ways and the answer's shape.

        Args:
            sample: its id.
            text: of which it has exactly this.
            limit: the first so many; None for all.
            named: other ways, such as ``uri="https://example.org/de/1"``.

        Raises:
            UsageError: nothing is named, or nothing is found.
        """
        from headwater.lineage.lookup import open_lookup
        from headwater.lineage.refused import samples_of_text
        from headwater.lineage.selectors import selected
        from headwater.lineage.story import why

        lookup = open_lookup(self.path)
        if text is not None:
            if sample is not None or named:
                raise UsageError("expected text alone, found another name beside it")
            return [why(lookup, found) for found in samples_of_text(lookup, text)[:limit]]
        names: Names = {"sample": sample, **named}
        batches = selected(None, lookup, names, limit)
        return [why(lookup, found) for batch in batches for found in batch.tolist()]

    def find(
        self,
        sample: int | None = None,
        *,
        build: str | None = None,
        stage: str | None = None,
        limit: int | None = None,
        **named: Unpack[OtherNames],
    ) -> list[JsonObject]:
        """Return what ``iter_find`` yields."""
        return list(self.iter_find(sample, build=build, stage=stage, limit=limit, **named))

    def iter_find(
        self,
        sample: int | None = None,
        *,
        build: str | None = None,
        stage: str | None = None,
        limit: int | None = None,
        **named: Unpack[OtherNames],
    ) -> Iterator[JsonObject]:
        """Yield what became of the samples that are named, with every run of tokens in every shard; as they are found, ascending.

        Args:
            build: only places in this build.
            stage: only places in this stage.
            limit: the first so many samples; None for all.
            named: as of ``why``.

        Raises:
            UsageError: nothing is named, nothing is found, or there is no such build or stage.
        """
        from headwater.lineage.finding import found_places
        from headwater.lineage.lookup import open_lookup
        from headwater.lineage.selectors import selected

        lookup = open_lookup(self.path)
        names: Names = {"sample": sample, **named}
        return found_places(lookup, selected(None, lookup, names, limit), build, stage)

    def similar(
        self, sample: int | None = None, *, text: str | None = None, least: float = 0.75, limit: int | None = None
    ) -> list[JsonObject]:
        """Return the near-duplicates of a sample or a text, the most similar first: ``sample_id``, ``similarity``, ``source``, ``uri``, verdict.

        Args:
            least: share of equal signature values, 0 to 1.
            limit: the first so many; None for all.

        Raises:
            UsageError: not exactly one of sample and text is given, there is no such sample, or the lake has not been annotated.
        """
        from headwater.lineage.lookup import open_lookup
        from headwater.lineage.similar import similar_to, sketch_of

        lookup = open_lookup(self.path)
        found: list[JsonObject] = similar_to(lookup, sketch_of(lookup, sample, text), least, limit)["similar"]
        return found

    def minhash(self, sample: int) -> MinHash:
        """Return the signature of a sample as a ``datasketch.MinHash`` of 112 permutations in the scheme affine32, whose values are the stored bits.

            lsh = MinHashLSH(threshold=0.75, num_perm=112)
            lsh.insert("16777216", lake.minhash(16777216))

        Raises:
            UsageError: there is no such sample, or it has not been annotated.
            MissingPackageError: datasketch is not installed.
        """
        from headwater.lineage.lookup import open_lookup
        from headwater.lineage.similar import minhash_of, sketch_of_sample

        return minhash_of(sketch_of_sample(open_lookup(self.path), sample))

    def trace(self, build: str, stage: str, shard: int, token: int) -> JsonObject:
        """Return the sample that a token of a shard belongs to, the text around the token, and the sample's story.

        Raises:
            UsageError: no such build, stage, shard or token.
        """
        from headwater.lineage.lookup import open_lookup
        from headwater.lineage.trace import trace

        return trace(open_lookup(self.path), build, stage, shard, token)
