"""What every test may use: real text, a place for a lake, the one Spark session; and the order in which tests run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytest_plugins = ["small_lake", "stores.fixtures"]

# Every Spark here lives for seconds: less compilation and one collector thread take a third off its processor time.
os.environ.setdefault("JAVA_TOOL_OPTIONS", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")

# Programs for environments of their own: those of the libraries that load shards.
collect_ignore_glob = ["interop/loaders/*"]

REPOSITORY = Path(__file__).resolve().parents[1]
CORPUS = Path(os.environ.get("HEADWATER_CORPUS", REPOSITORY.parent / "shared" / "corpus"))
DEMO_TEXT = REPOSITORY / "src" / "headwater" / "demo"


LONGEST = (
    "test_trials.py",
    "test_mypy.py",
    "test_crashes.py",
    "test_main_job_determinism.py",
    "test_main_job_increments.py",
    "test_language_corpus.py",
    "test_minhash_corpus.py",
)
"""Files that take a minute or more, the longest first."""


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order tests by kind: pure ones first, then those that need Spark, then those with another library; else as collected.

    Where processes share the tests, a file is one process's work, and so are all tests that read the demo's lake; the
    tests of the longest files are dealt out singly and first, so that no process ends long before the others.
    """
    if "PYTEST_XDIST_WORKER" not in os.environ:
        items.sort(key=_kind)
        return
    for item in items:
        reads_demo = "demo_lake" in getattr(item, "fixturenames", ())
        alone = item.path.name in LONGEST
        item.add_marker(pytest.mark.xdist_group("demo" if reads_demo else item.nodeid if alone else item.path.name))
    items.sort(key=lambda item: (_place(item), -_kind(item)))


@pytest.hookimpl(tryfirst=True)  # before pytest-cov prints it
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say what the coverage figure counts."""
    if config.getoption("--cov", default=None):
        terminalreporter.write_line(
            "Coverage, per cent of the lines of src/headwater that ran in pytest's own processes; not seen: kernels, which Numba compiles,\n"
            "what runs in Spark's workers and in programs that tests start."
        )


def _kind(item: pytest.Item) -> int:
    return 2 if item.get_closest_marker("interop") else 1 if item.get_closest_marker("spark") else 0


def _place(item: pytest.Item) -> int:
    return LONGEST.index(item.path.name) if item.path.name in LONGEST else len(LONGEST)


@pytest.fixture(scope="session")
def real_text_files() -> list[Path]:
    """JSON Lines files of real text: the corpus where it lies beside the repository, else the text that the package ships."""
    return sorted(CORPUS.glob("*/*.jsonl.zst")) or sorted(DEMO_TEXT.glob("**/*.jsonl"))


@pytest.fixture
def lake_folder(tmp_path: Path) -> Path:
    """Where a test may make a lake; nothing is there yet."""
    return tmp_path / "lake"


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """The one Spark session of the test run: two cores, three tries for every task, as a cluster would."""
    from headwater.pipelines.spark.sessions import session

    warehouse = tmp_path_factory.mktemp("spark")
    session_ = session(
        master="local[2,3]",
        conf={"spark.sql.warehouse.dir": str(warehouse), "spark.local.dir": str(warehouse)},
        app_name="headwater-tests",
    )
    yield session_
    session_.stop()


@dataclass(frozen=True, kw_only=True, slots=True)
class DemoLake:
    """What the demo made and printed; tests only read it."""

    folder: Path
    inputs: list[str]
    build: str
    printed: str


@pytest.fixture(scope="session")
def demo_lake(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> DemoLake:
    """The lake of one run of the demo, shared by all tests."""
    from click.testing import CliRunner

    from headwater.demo import TEXT_FOLDERS
    from headwater.demo.__main__ import demo

    folder = tmp_path_factory.mktemp("demo") / "lake"
    done = CliRunner().invoke(demo, ["--lake", str(folder)])
    if done.exit_code:
        raise RuntimeError(
            f"the demo failed with exit code {done.exit_code}:\n{done.output[-4000:]}"
        ) from done.exception
    (build,) = (path.name for path in (folder / "builds").iterdir())
    return DemoLake(folder=folder, inputs=TEXT_FOLDERS, build=build, printed=done.stdout)
