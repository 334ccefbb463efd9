"""The ways to name samples: one set of names, alike in every command and in ``Lake``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, TypedDict

from headwater.errors import UsageError

__all__ = ["WAYS", "Names", "OtherNames", "name_of", "ways_named"]


class OtherNames(TypedDict, total=False):
    """What names samples besides an id; one way is given or several, the others are None or left out. Several name those that each of them names.

    Attributes:
        uri: the document's URL or id as given; the user and password in a URL do not matter.
        hash: of the text: 32 hexadecimal digits of BLAKE2b-128, as column ``content_hash``.
        host: host part of the URL; case, credentials, port, a dot at the end and the form of letters beyond ASCII do not matter.
        domain: registered domain: every host below it counts.
        source: the data set.
        language: BCP 47 tag, as family ``language`` has it.
        licence: as declared for the file; ``unknown`` where none was.
        file: the input file's URI, or the beginning of its SHA-256.
        cluster: of duplicates, 32 hexadecimal digits.
        rule: that refused them, as the first or a further reason.
        first_rule: that refused them first.
        run: that wrote a row of theirs, in any family.
        operator: FAMILY@VERSION, or the beginning of an operator's fingerprint, that wrote a row of theirs.
        vocabulary: name or fingerprint: the samples that trained it; of one that was trained elsewhere, those whose tokens were counted with it.
        evaluation_set: of which an item was found in them.
        where: a condition in SQL over the columns of view ``samples``.
        samples: ids, or a file with one a line; ``-`` is standard input.
    """

    uri: str | None
    hash: str | None
    host: str | None
    domain: str | None
    source: str | None
    language: str | None
    licence: str | None
    file: str | None
    cluster: str | None
    rule: str | None
    first_rule: str | None
    run: str | None
    operator: str | None
    vocabulary: str | None
    evaluation_set: str | None
    where: str | None
    samples: str | Sequence[int] | None


class Names(OtherNames, total=False):
    """The same, and ``sample``, an id."""

    sample: int | None


WAYS: Final = ("sample", *OtherNames.__annotations__)


def name_of(kind: str) -> str:
    """Return the option that names samples in one way.

    >>> name_of("evaluation_set")
    '--evaluation-set'
    """
    return f"--{kind.replace('_', '-')}"


def ways_named(named: Mapping[str, object]) -> list[tuple[str, object]]:
    """Return the ways in which samples are named, with their values: those that every one of them names are meant.

    Raises:
        UsageError: nothing is named, an unknown way, or a value is empty.

    >>> ways_named({"sample": None, "host": "example.org", "language": "de"})
    [('host', 'example.org'), ('language', 'de')]
    """
    unknown = sorted(set(named) - set(WAYS))
    if unknown:
        raise UsageError(f"expected samples to be named by {', '.join(WAYS)}, found {unknown[0]!r}")
    given = [(kind, value) for kind, value in named.items() if value is not None]
    if not given:
        options = ", ".join(map(name_of, WAYS[:-1]))
        raise UsageError(f"expected one or more of {options} and {name_of(WAYS[-1])}, found none")
    for kind, value in given:
        if value == "":
            raise UsageError(f"expected a value of {name_of(kind)}, found an empty text; is a variable not set?")
    return given
