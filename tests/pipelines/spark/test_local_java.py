"""How the JVM of a local master starts: its options, whose own win, and the archive of classes that may be missing, damaged or another's."""

from __future__ import annotations

import subprocess
import sys
import zlib
from pathlib import Path

import pytest

from headwater.pipelines.spark.class_archive import archive_folder, archive_key, find_archive
from headwater.pipelines.spark.local_java import local_java_options
from headwater.pipelines.spark.make_class_archive import main, make_archive

VARIABLES = ("JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS", "SPARK_SUBMIT_OPTS", "PYSPARK_SUBMIT_ARGS")
COMPILER, COLLECTOR = "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"
EXTRA = "spark.driver.extraJavaOptions"
_COUNT = """
import sys
sys.prefix = sys.argv[1]
from headwater.pipelines.spark import session
print(session("local[1]", {"spark.driver.extraJavaOptions": sys.argv[2]}).range(10).count())
"""


@pytest.fixture
def spark_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Spark's real folder; no options of the machine's, and an environment without an archive."""
    from pyspark.find_spark_home import _find_spark_home

    for name in (*VARIABLES, "SPARK_CONF_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "environment"))
    return Path(_find_spark_home())


def place(spark_home: Path, content: bytes, claimed: bytes | None = None) -> Path:
    """Write a file that is named as an archive for this Java and Spark with the bytes claimed."""
    claimed = content if claimed is None else claimed
    path = archive_folder() / f"{archive_key(spark_home)}-{len(claimed):x}-{zlib.crc32(claimed):08x}.jsa"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(0o644)
    return path


@pytest.mark.parametrize(
    ("master", "options"),
    [
        ("local", [COMPILER, COLLECTOR]),
        ("local[2]", [COMPILER, COLLECTOR]),
        ("local[8, 3]", [COMPILER, COLLECTOR]),
        ("local[9,3]", [COMPILER]),
        ("local-cluster[2,1,1024]", []),
        ("spark://host:7077", []),
        ("yarn", []),
        ("k8s://https://host", []),
        ("", []),
    ],
)
@pytest.mark.usefixtures("spark_home")
def test_local_masters_alone_get_options(master: str, options: list[str]) -> None:
    """The JVMs of clusters are left as they are; above eight cores Java chooses the collector."""
    assert local_java_options({"spark.master": master}).split() == options


@pytest.mark.parametrize(
    ("own", "left"),
    [
        ("-XX:TieredStopAtLevel=4", [COLLECTOR]),
        ("-XX:-TieredCompilation", [COLLECTOR]),
        ("-Xint", [COLLECTOR]),
        ("-XX:+UseG1GC", [COMPILER]),
        ("-XX:-UseSerialGC -XX:CompilationMode=high-only", []),
        ("-XX:Flags=/etc/java.flags", []),
        ("-Da=b @/etc/java.options", []),
        ("-Dhost=a@b -Xss4m", [COMPILER, COLLECTOR]),
    ],
)
@pytest.mark.parametrize("where", [EXTRA, "spark.driver.defaultJavaOptions", *VARIABLES, "spark-defaults.conf"])
def test_the_users_own_options_win(
    spark_home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, own: str, left: list[str], where: str
) -> None:
    """An option that the user speaks of, wherever Java or Spark read it, is left to the user: two collectors would stop the start."""
    assert spark_home.is_dir()
    settings = {"spark.master": "local[2]"}
    if where in VARIABLES:
        monkeypatch.setenv(where, own)
    elif where == "spark-defaults.conf":
        (tmp_path / where).write_text(f"# comment\n {EXTRA}  {own}\n")
        monkeypatch.setenv("SPARK_CONF_DIR", str(tmp_path))
    else:
        settings[where] = own
    assert local_java_options(settings).split() == left


def test_only_a_whole_archive_of_ones_own_is_used(spark_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is cut off, changed by a byte, empty, writable by others, a link, or for another Java is as good as none."""
    content = bytes(range(256)) * 40
    assert find_archive(spark_home) is None
    for damaged in (content[:-1], content + b"\0", b"x" + content[1:], b""):
        path = place(spark_home, damaged, content)
        assert find_archive(spark_home) is None
    path.write_bytes(content)
    assert find_archive(spark_home) == path
    assert f'"-XX:SharedArchiveFile={path}"' in local_java_options({"spark.master": "local[1]"})
    assert "Shared" not in local_java_options({"spark.master": "local[1]", EXTRA: "-Xshare:off"})
    path.chmod(0o664)
    assert find_archive(spark_home) is None
    aside = path.rename(path.with_name("aside"))
    aside.chmod(0o644)
    path.symlink_to(aside)
    assert find_archive(spark_home) is None
    path.unlink()
    aside.rename(path)
    assert find_archive(spark_home) == path
    monkeypatch.setenv("JAVA_HOME", "/nowhere")
    assert find_archive(spark_home) is None


def test_no_path_that_an_option_cannot_hold(spark_home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Java parts archives at colons, Spark reads quotes, the keeper braces: in such a place there is none. A space is none of these."""
    for name, used in (("a b", True), ("a:b", False), ('a"b', False), ("a{folder}", False)):
        monkeypatch.setattr(sys, "prefix", str(tmp_path / name))
        path = place(spark_home, b"archive")
        assert find_archive(spark_home) == (path if used else None)


@pytest.mark.usefixtures("spark_home")
def test_a_folder_that_cannot_be_written_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """What makes the archive says why there is none."""
    monkeypatch.setattr(sys, "prefix", "/proc/nowhere")
    with pytest.raises(SystemExit, match="no archive was made, and Spark starts without one: .*/proc/nowhere"):
        main()


@pytest.mark.spark
def test_an_archive_that_java_refuses_is_passed_over_in_silence(spark_home: Path, tmp_path: Path) -> None:
    """Not a word on either output, though the file is whole by its name."""
    place(spark_home, b"no archive of Java's" * 1000)
    done = subprocess.run(
        [sys.executable, "-c", _COUNT, sys.prefix, "-Dsome=thing"],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        cwd=tmp_path,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "10\n", "")


@pytest.mark.spark
def test_the_archive_is_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With the archive that the setup made, here made where it is not, most classes come from it, under another collector too."""
    from pyspark.find_spark_home import _find_spark_home

    monkeypatch.delenv("JAVA_TOOL_OPTIONS", raising=False)
    assert make_archive(Path(_find_spark_home())) is not None
    log = tmp_path / "classes"
    options = f"-XX:+UseParallelGC -Xlog:class+load:file={log}"
    done = subprocess.run(
        [sys.executable, "-c", _COUNT, sys.prefix, options],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        cwd=tmp_path,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "10\n", "")
    lines = log.read_text().splitlines()
    shared = sum(line.endswith("shared objects file (top)") for line in lines)
    assert shared > len(lines) / 2
