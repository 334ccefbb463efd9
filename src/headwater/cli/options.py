"""What the commands share: arguments and options named alike everywhere, the recipe and the session they name, how answers are printed."""

from __future__ import annotations

import contextlib
import logging
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Final, Self, TypeVar

import click

from headwater.cli.numbers import DECIMAL, WHOLE
from headwater.cli.rendering import clean, to_json, to_json_line
from headwater.errors import HeadwaterError, StorageError, UsageError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from headwater.pipelines.recipe.job import Recipe

__all__ = [
    "Timer",
    "answer",
    "benchmarks_option",
    "build_option",
    "check_new",
    "example",
    "inputs_option",
    "job_arguments",
    "job_options",
    "lake_argument",
    "lines_output_option",
    "names_options",
    "output_option",
    "parse_conf",
    "print_lines",
    "read_recipe",
    "read_text",
    "recipe_argument",
    "retention_options",
    "scale_option",
    "spark_options",
    "spark_session",
    "tell_runs",
    "together",
]

_Command = TypeVar("_Command", bound=Callable[..., object])
_MASTER: Final = "local[*]"


def _place(context: click.Context, parameter: click.Parameter, value: str) -> str:
    """Make a lake's place absolute, once for all that the command does; a place that no lake can have is refused before anything is done."""
    from headwater.warehouse.filesystem import lake_place

    return lake_place(value)


lake_argument = click.argument("lake", metavar="LAKE", callback=_place)
recipe_argument = click.argument("recipe", metavar="RECIPE")
output_option = click.option(
    "--output",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Format of the answer on standard output.",
)
lines_output_option = click.option(
    "--output",
    type=click.Choice(["text", "json", "jsonl"]),
    default="text",
    show_default=True,
    help="Format of the answer on standard output; jsonl is a line of JSON a sample, printed as it is found.",
)
build_option = click.option("--build", metavar="NAME", help="Name of a build in the lake.")
scale_option = click.option(
    "--scale", metavar="SHARE", help="Make a nested proxy with this share of each cell of the selection, such as 0.001."
)


def together(*decorators: Callable[[_Command], _Command]) -> Callable[[_Command], _Command]:
    """Return arguments and options as one decorator, in the order in which help lists them."""

    def apply(command: _Command) -> _Command:
        for decorator in reversed(decorators):
            command = decorator(command)
        return command

    return apply


_ASKED: Final = "headwater.openlineage"
_RECIPES: Final = "headwater.openlineage.recipe"


def _keep_place(context: click.Context, parameter: click.Parameter, value: str | None) -> None:
    """Check where events go before anything is done, and keep it for the session that the command opens."""
    if value is not None:
        from headwater.lineage.openlineage.places import check_place

        check_place(value, "--openlineage")
        context.meta[_ASKED] = value


spark_options = together(
    click.option("--master", metavar="URL", help=f"A Spark master; {_MASTER} unless spark-submit was given one."),
    click.option("--conf", metavar="KEY=VALUE", multiple=True, help="A Spark setting; may be given more than once."),
    click.option(
        "--openlineage",
        metavar="URL|FILE",
        callback=_keep_place,
        expose_value=False,
        help="Send OpenLineage events of every step to an endpoint, or add them to a file.",
    ),
)
job_arguments = together(lake_argument, recipe_argument)
job_options = together(spark_options, output_option)
inputs_option = together(
    click.argument("paths", metavar="[PATH]...", nargs=-1),
    click.option(
        "--input", "inputs", metavar="PATH", multiple=True, help="A file, folder or glob to ingest; several may follow."
    ),
)
benchmarks_option = click.option(
    "--benchmarks",
    metavar="PATH",
    multiple=True,
    help="Evaluation sets (a file or folder) to add to the lake first; may be given more than once.",
)
names_options = together(
    click.option("--sample", type=WHOLE, metavar="ID", help="A sample_id."),
    click.option(
        "--uri", metavar="URI", help="A document's URL or id, as its record gives it; credentials in it do not matter."
    ),
    click.option("--hash", metavar="HASH", help="A text, by the 32 hexadecimal digits of its content_hash."),
    click.option(
        "--host", metavar="HOST", help="The host in documents' URLs, without regard to case, port and credentials."
    ),
    click.option(
        "--domain",
        metavar="DOMAIN",
        help="The registered domain of documents' hosts, such as example.co.uk: all hosts below it.",
    ),
    click.option("--source", metavar="NAME", help="A source: the data set that records name."),
    click.option("--language", metavar="TAG", help="A language, as family language has it: en, zh."),
    click.option("--licence", metavar="NAME", help="A licence, as declared for the file; unknown where none was."),
    click.option(
        "--file",
        metavar="FILE",
        help="An input file's path as listed in family files, or the beginning of its SHA-256.",
    ),
    click.option("--cluster", metavar="HASH", help="A cluster of duplicates, by its 32 hexadecimal digits."),
    click.option("--rule", metavar="NAME", help="A rule that refused them, as the first or a further reason."),
    click.option("--first-rule", metavar="NAME", help="The rule that refused them first."),
    click.option("--run", metavar="ID", help="A run that wrote a row of theirs; headwater runs lists them."),
    click.option(
        "--operator",
        metavar="NAME@VERSION",
        help="A version of an operator that wrote a row of theirs, or its digits; headwater runs lists both.",
    ),
    click.option(
        "--vocabulary",
        metavar="NAME",
        help="A vocabulary that they trained; of one trained elsewhere, that counted their tokens.",
    ),
    click.option("--evaluation-set", metavar="NAME", help="An evaluation set of which an item was found in them."),
    click.option("--where", metavar="SQL", help="A condition in SQL over the columns of view samples."),
    click.option(
        "--samples", metavar="FILE", help="Ids, one a line of a file, or lines of find --output jsonl; - reads them."
    ),
)


retention_options = together(
    click.option(
        "--retention-hours",
        type=DECIMAL,
        default=168.0,
        show_default=True,
        help="How long to keep files that were replaced.",
    ),
    click.option(
        "--orphan-hours",
        type=DECIMAL,
        default=24.0,
        show_default=True,
        help="How long to keep files that no version lists; longer than any step takes.",
    ),
)


def example(*lines: str) -> str:
    """Return the end of a command's help; the mark keeps click from wrapping it."""
    return "\b\nExample" + ("s" if len(lines) > 1 else "") + ":\n" + "\n".join(f"  {line}" for line in lines)


def answer(value: object, text: str | Callable[[], str], output: str) -> None:
    """Print the answer on standard output, as JSON or as text.

    Raises:
        StorageError: it cannot be written, to a full disk for example.
    """
    shown = to_json(value) if output == "json" else clean(text if isinstance(text, str) else text())
    _print(shown)


def print_lines(lines: Iterable[object]) -> None:
    """Print lines as they come: a text cleaned, anything else as one line of JSON; many are written at once.

    Raises:
        StorageError: they cannot be written.
    """
    waiting: list[str] = []
    for line in lines:
        waiting.append(clean(line) if isinstance(line, str) else to_json_line(line))
        if len(waiting) >= _LINES_AT_ONCE:
            _print("\n".join(waiting))
            waiting = []
    if waiting:
        _print("\n".join(waiting))


_LINES_AT_ONCE: Final = 256


def _print(text: str) -> None:
    try:
        click.echo(text)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise StorageError(f"cannot write the answer to standard output: {error.strerror or error}") from error


def read_text(name: str) -> str:
    """Return the text of a file, or of standard input.

    Args:
        name: of the file; ``-`` is standard input.

    Raises:
        UsageError: it is no UTF-8, or empty.
        StorageError: it cannot be read.
    """
    try:
        data = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise StorageError(f"cannot read the text {name}: {error.strerror or error}") from error
    where = "standard input" if name == "-" else name
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise UsageError(f"expected a text in UTF-8 in {where}, found bytes that are none at {error.start}") from error
    if not text:
        raise UsageError(f"expected a text in {where}, found an empty one")
    return text


class Timer:
    """How long a step took, in seconds."""

    seconds = 0.0

    def __enter__(self) -> Self:
        """Begin."""
        self._begin = time.monotonic()
        return self

    def __exit__(self, *_: object) -> None:
        """End, whether the step succeeded or not."""
        self.seconds = time.monotonic() - self._begin


def read_recipe(given: str) -> Recipe:
    """Return the recipe of a file or of a shipped name."""
    from headwater.pipelines.recipe.shipped import find_recipe

    recipe = find_recipe(given)
    if recipe.lineage.openlineage is not None and (context := click.get_current_context(silent=True)) is not None:
        context.meta[_RECIPES] = recipe.lineage.openlineage
    recipe.storage.use()
    return recipe


def check_new(*, batch: str | None = None, build: str | None = None, scale: str | None = None) -> None:
    """Refuse names and a scale that cannot be before Spark starts, which takes ten seconds.

    Raises:
        UsageError: a name that cannot stand in a path, or no scale.
    """
    from headwater.warehouse.fragments import batch_name

    for name in (batch, build):
        if name is not None:
            batch_name(name)
    if scale is not None:
        from headwater.pipelines.selection.proxy import parse_scale

        parse_scale(scale)


def parse_conf(pairs: Sequence[str]) -> dict[str, str]:
    """Return Spark settings given as ``KEY=VALUE``.

    >>> parse_conf(["spark.driver.memory=4g"])
    {'spark.driver.memory': '4g'}
    """
    settings: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise click.BadParameter(f"expected KEY=VALUE, found {pair!r}", param_hint="--conf")
        settings[key] = value
    return settings


@contextlib.contextmanager
def spark_session(master: str | None, conf: Sequence[str]) -> Iterator[SparkSession]:
    """Give the running Spark session, or one that is stopped at the end.

    Under ``spark-submit`` its master and settings count where the command line names no others.
    """
    settings = parse_conf(conf)
    from pyspark.sql import SparkSession

    from headwater.pipelines.spark.sessions import session

    running = SparkSession.getActiveSession() is not None
    with _quiet_interrupts() as install:
        spark = session(master=master, conf=settings)
        install()  # Spark has put its own handler in place, which asks the JVM in the middle of another question
        try:
            with tell_runs():
                yield spark
        finally:
            if not running:
                spark.stop()


def tell_runs() -> contextlib.AbstractContextManager[None]:
    """Return what tells of the runs within, where the call, the environment or the recipe asks for it."""
    from headwater.lineage.run_events import events_to

    context = click.get_current_context(silent=True)
    meta = {} if context is None else context.meta
    return events_to(meta.get(_ASKED), meta.get(_RECIPES), _own_cause)


def _own_cause(error: BaseException) -> HeadwaterError | None:
    """Return the error of Headwater's own that a task raised, or None."""
    from headwater.cli.spark_failures import cause_of

    found = cause_of(error) if isinstance(error, Exception) else None
    return found if isinstance(found, HeadwaterError) else None


@contextlib.contextmanager
def _quiet_interrupts() -> Iterator[Callable[[], None]]:
    """Let Ctrl-C end what runs without the reports of the libraries beneath; gives what puts that in place again."""
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        from headwater.pipelines.spark.gateway import hush

        hush()
        logging.disable(logging.CRITICAL)
        signal.default_int_handler(number, frame)

    def install() -> None:
        signal.signal(signal.SIGINT, interrupt)

    before = signal.getsignal(signal.SIGINT)
    install()
    try:
        yield install
    finally:
        signal.signal(signal.SIGINT, before)
