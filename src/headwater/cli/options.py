"""What the commands share: arguments and options named alike everywhere, the Spark session, errors as exit codes."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from headwater import errors
from headwater.cli.rendering import clean, to_json
from headwater.errors import HeadwaterError, MissingPackageError, UsageError
from headwater.extras import needing_extras

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = [
    "Commands",
    "answer",
    "benchmarks_option",
    "build_option",
    "example",
    "inputs_option",
    "lake_argument",
    "names_options",
    "output_option",
    "parse_conf",
    "recipe_argument",
    "scale_option",
    "spark_options",
    "spark_session",
    "told_plainly",
]

_Command = TypeVar("_Command", bound=Callable[..., Any])
_MASTER: Final = "local[*]"
_RAISED: Final = re.compile(r"headwater\.errors\.(\w+): (.+)")
"""How an error that a task raised stands in what Spark reports of it."""
_ANY_RAISED: Final = re.compile(r"^(\w+(?:\.\w+)*(?:Error|Exception)\b.*)$", re.MULTILINE)
_MAX_MESSAGE: Final = 300

lake_argument = click.argument("lake", metavar="LAKE")
recipe_argument = click.argument("recipe", metavar="RECIPE")
output_option = click.option(
    "--output",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="What is printed on standard output.",
)
build_option = click.option("--build", metavar="NAME", help="A build of the lake.")


scale_option = click.option(
    "--scale", metavar="SHARE", help="Make a nested proxy with this share of each cell of the selection, such as 0.001."
)


def _together(*decorators: Callable[[_Command], _Command]) -> Callable[[_Command], _Command]:
    def apply(command: _Command) -> _Command:
        for decorator in reversed(decorators):
            command = decorator(command)
        return command

    return apply


spark_options = _together(
    click.option("--master", metavar="URL", help=f"A Spark master; {_MASTER} unless spark-submit was given one."),
    click.option("--conf", metavar="KEY=VALUE", multiple=True, help="A Spark setting; may be given more than once."),
)
inputs_option = _together(
    click.argument("paths", metavar="[PATH]...", nargs=-1),
    click.option(
        "--input", "inputs", metavar="PATH", multiple=True, help="A file, folder or glob to ingest; several may follow."
    ),
)
benchmarks_option = click.option(
    "--benchmarks",
    metavar="PATH",
    multiple=True,
    help="Evaluation sets, a file or folder, to add to the lake first; may be given more than once.",
)
names_options = _together(
    click.option("--sample", type=int, metavar="ID", help="A sample_id."),
    click.option("--uri", metavar="URI", help="A document's URL or id, as its record gives it."),
    click.option("--host", metavar="HOST", help="The host of documents' URLs."),
    click.option("--source", metavar="NAME", help="A data set."),
    click.option(
        "--file",
        metavar="FILE",
        help="An input file's path as listed in family files, or the beginning of its SHA-256.",
    ),
)


def example(*lines: str) -> str:
    """Return the end of a command's help; the mark keeps click from wrapping it."""
    return "\b\nExample" + ("s" if len(lines) > 1 else "") + ":\n" + "\n".join(f"  {line}" for line in lines)


class _Failure(click.ClickException):
    """A message on standard error; the exit code is 1."""


class _Refusal(click.ClickException):
    """The same where the call, the recipe or what is installed must change; the exit code is 2."""

    exit_code = 2


class Commands(click.Group):
    """Commands that say what went wrong without a traceback, listed in the order of the job."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names in the order in which the commands were added."""
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; errors raised on purpose, in tasks too, become messages."""
        with told_plainly():
            return super().invoke(ctx)


@contextlib.contextmanager
def told_plainly() -> Iterator[None]:
    """Turn errors that are no fault of the program into a message and an exit code."""
    try:
        with needing_extras():
            yield
    except HeadwaterError as error:
        raise _failure(error) from error
    except BrokenPipeError:
        raise  # click ends quietly where the reader of the answer went away
    except OSError as error:
        found = f"{error.strerror}: {error.filename}" if error.filename else str(error)
        raise _Failure(clean(found)) from error
    except Exception as error:
        if not type(error).__module__.startswith(("py4j", "pyspark")):
            raise
        raise _failure_in_spark(error) from error


def _failure(error: HeadwaterError) -> click.ClickException:
    kind = _Refusal if isinstance(error, UsageError | MissingPackageError) else _Failure
    return kind(clean(str(error)))


def _failure_in_spark(error: Exception) -> click.ClickException:
    """Return the message of a Headwater error that a task raised, or the last error that Spark reports of Python or of itself."""
    told = str(error)
    for name, message in _RAISED.findall(told):
        kind = getattr(errors, name, None)
        if isinstance(kind, type) and issubclass(kind, HeadwaterError):
            return _failure(kind(message))
    lines = _ANY_RAISED.findall(told) or [line for line in told.splitlines() if line.strip()] or [type(error).__name__]
    return _Failure(
        clean(f"Spark failed: {lines[-1][:_MAX_MESSAGE]}; its own report is above or in the logs of its executors")
    )


def answer(value: Any, text: str | Callable[[], str], output: str) -> None:
    """Print the answer on standard output, as JSON or as text."""
    if output == "json":
        click.echo(to_json(value))
    else:
        click.echo(text if isinstance(text, str) else text())


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
    from headwater.pipelines.spark.sessions import session

    if "PYSPARK_GATEWAY_PORT" in os.environ:
        from pyspark import SparkConf

        submitted = dict(SparkConf().getAll())
        master = master or submitted.get("spark.master")
        settings = submitted | settings
    from pyspark.sql import SparkSession

    running = SparkSession.getActiveSession() is not None
    spark = session(master=master or _MASTER, conf=settings)
    try:
        yield spark
    finally:
        if not running:
            spark.stop()
