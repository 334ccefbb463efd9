"""Groups of commands: listed under headings, in the order in which they are used; a failure is one message and an exit code."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Any, Final, NoReturn

import click

from headwater.cli.rendering import clean
from headwater.cli.signals import ended_by
from headwater.cli.spark_failures import cause_of, write_report
from headwater.errors import HeadwaterError, MissingPackageError, UsageError
from headwater.extras import needing_extras

__all__ = ["Commands", "add_storage_option", "end_process", "errors_as_messages", "refuse_empty_texts"]


class Commands(click.Group):
    """Commands that report failures without a traceback and are listed under headings, in the order in which they were added."""

    def __init__(self, *args: object, **given: object) -> None:
        super().__init__(*args, **given)  # type: ignore[arg-type]  # click's own arguments, handed on
        self.sections: dict[str, list[str]] = {}

    def add_section(self, heading: str, *commands: click.Command) -> None:
        """Add commands that the help lists under a heading."""
        for command in commands:
            self.add_command(command)
            self.sections.setdefault(heading, []).append(str(command.name))

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names in the order in which the commands were added."""
        return list(self.commands)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write a table of names and short descriptions a section; all names stand in one column."""
        if not self.sections:
            super().format_commands(ctx, formatter)
            return
        width = max(map(len, self.commands))
        for heading, names in self.sections.items():
            with formatter.section(heading):
                formatter.write_dl(
                    [
                        (f"{name:<{width}}", self.commands[name].get_short_help_str(limit=formatter.width))
                        for name in names
                    ]
                )

    def invoke(self, ctx: click.Context) -> object:
        """Run a command; failures become messages."""
        with errors_as_messages():
            return super().invoke(ctx)


class _Text(click.types.StringParamType):
    """A text that is not empty, of UTF-8: an empty one is mostly a variable that is not set, and would name the current folder or match everything.

    Args:
        any_bytes: the text may be no UTF-8, as a file's name may.
    """

    def __init__(self, any_bytes: bool = False) -> None:
        self._any_bytes = any_bytes

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the text, or fail."""
        found = super().convert(value, param, ctx)
        if found == "":
            self.fail("expected a value, found an empty text; is a variable not set?", param, ctx)
        if not self._any_bytes:
            try:
                found.encode()
            except UnicodeEncodeError as error:
                self.fail(f"expected a text in UTF-8, found bytes that are none at character {error.start}", param, ctx)
        return found


_FILE_NAMES: Final = frozenset(["inputs"])
"""Options whose values name files of others, which may be named in any bytes."""


class _OfThisMachine(click.ParamType[object]):
    """A path on this machine.

    Args:
        path: what it is checked and made by.
    """

    def __init__(self, path: click.Path) -> None:
        self.name = path.name
        self._path = path

    def convert(
        self,
        value: Any,  # Any: click's own signature
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> object:
        """Return the path."""
        if "://" in os.fsdecode(value):
            self.fail(f"expected a place on this machine, found the URI {os.fsdecode(value)!r}", param, ctx)
        return self._path.convert(value, param, ctx)


def refuse_empty_texts(command: click.Command) -> None:
    """Make every argument and option of a command, and of those below it, refuse an empty text, and bytes that are no UTF-8.

    What names a file or folder of this machine refuses the URI of a store, which would be taken for a relative path.
    """
    for parameter in command.params:
        if isinstance(parameter.type, click.Path):
            parameter.type = _OfThisMachine(parameter.type)
        if isinstance(parameter.type, click.types.StringParamType):
            parameter.type = _Text(any_bytes=parameter.name in _FILE_NAMES)
    if isinstance(command, click.Group):
        for below in command.commands.values():
            refuse_empty_texts(below)


def add_storage_option(command: click.Command) -> None:
    """Give every command below a group the option ``--storage``."""
    if isinstance(command, click.Group):
        for below in command.commands.values():
            add_storage_option(below)
        return
    command.params.append(
        click.Option(
            ["--storage"],
            metavar="KEY=VALUE",
            multiple=True,
            expose_value=False,
            is_eager=True,
            callback=_use_storage,
            help="A setting of the object store, such as aws_endpoint_url; may be given more than once. A secret is @FILE.",
        )
    )


def _use_storage(context: click.Context, parameter: click.Parameter, pairs: tuple[str, ...]) -> None:
    if pairs:
        from headwater.warehouse.storage import parse_pairs, use_storage

        use_storage(parse_pairs(pairs))


_QUERY_INTERRUPTED: Final = "Query interrupted"
"""What DuckDB makes of any exception that a signal's handler raises while it computes."""


def _interruption() -> BaseException:
    """Return what ends a command that a signal interrupted, which has told so itself where it was no Ctrl-C."""
    number = ended_by()
    if number is not None:
        return SystemExit(128 + number)
    return _Interruption("interrupted; what was committed stays, and the same command goes on from there")


class _Interruption(click.ClickException):
    """The same where the user pressed Ctrl-C; the exit code is a shell's for it."""

    exit_code = 130


class _Failure(click.ClickException):
    """A message on standard error; the exit code is 1."""


class _Refusal(click.ClickException):
    """The same where the call, the recipe or what is installed must change; the exit code is 2."""

    exit_code = 2


@contextlib.contextmanager
def errors_as_messages() -> Iterator[None]:
    """Turn errors that are no fault of the program, raised in tasks too, into a message and an exit code; faults keep their traceback."""
    try:
        with needing_extras():
            yield
    except HeadwaterError as error:
        raise _failure(error) from error
    except KeyboardInterrupt as error:
        raise _interruption() from error
    except BrokenPipeError:
        raise  # click ends quietly where the reader of the answer went away
    except OSError as error:
        if ended_by() is not None:
            raise _interruption() from error
        found = f"{error.strerror}: {error.filename}" if error.filename else str(error)
        raise _Failure(clean(found)) from error
    except Exception as error:
        # Once a signal has come, errors come of the exit that it raised: a library was cut off in the midst of an answer.
        if ended_by() is not None or (isinstance(error, RuntimeError) and str(error) == _QUERY_INTERRUPTED):
            raise _interruption() from error
        if not type(error).__module__.startswith(("py4j", "pyspark")):
            raise
        raise _failure_in_spark(error) from error


def end_process(reason: BaseException) -> NoReturn:
    """End the process at once with the message and exit code of a failure: for what no longer heeds anything else."""
    told = reason.code if isinstance(reason, SystemExit) else None
    try:
        with errors_as_messages():
            raise reason
    except click.ClickException as error:
        with contextlib.suppress(OSError):
            os.write(sys.stderr.fileno(), f"Error: {error.format_message()}\n".encode(errors="replace"))
        os._exit(error.exit_code)
    except BaseException:
        os._exit(told if isinstance(told, int) else 1)


def _failure(error: HeadwaterError) -> click.ClickException:
    kind = _Refusal if isinstance(error, UsageError | MissingPackageError) else _Failure
    return kind(clean(str(error)))


def _failure_in_spark(error: Exception) -> click.ClickException:
    """Return the message of a Headwater error that a task raised, or one cause and where the rest is written down."""
    cause = cause_of(error)
    if isinstance(cause, HeadwaterError):
        return _failure(cause)
    path = write_report(error)
    rest = f"the full report is in {path}" if path else "there was no room for the full report"
    return _Failure(clean(f"Spark failed: {cause}; {rest}"))
