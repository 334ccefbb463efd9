from __future__ import annotations

import re
from pathlib import Path

import pytest

from conftest import DemoLake
from headwater.demo.__main__ import fresh_folder
from headwater.errors import UsageError


def test_fresh_folder_is_made_and_marked(tmp_path: Path) -> None:
    """Where nothing is, or an empty folder, the demo makes its folder; only its mark is in it."""
    fresh_folder(tmp_path / "new" / "lake")
    fresh_folder(tmp_path / "new" / "lake")
    assert [path.name for path in (tmp_path / "new" / "lake").iterdir()] == [".headwater-demo"]


def test_fresh_folder_removes_an_earlier_demo(tmp_path: Path) -> None:
    """The lake of an earlier demo, killed or not, is removed."""
    fresh_folder(tmp_path)
    (tmp_path / "samples" / "_delta_log").mkdir(parents=True)
    (tmp_path / "builds").mkdir()
    fresh_folder(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".headwater-demo"]


@pytest.mark.parametrize("marked", [False, True])
def test_fresh_folder_refuses_what_no_demo_made(tmp_path: Path, marked: bool) -> None:
    """A folder with other files is refused and left as it is, even where a demo's mark is beside them."""
    if marked:
        fresh_folder(tmp_path)
        (tmp_path / "samples").mkdir()
    (tmp_path / "thesis.txt").write_text("mine")
    before = sorted(path.name for path in tmp_path.iterdir())
    with pytest.raises(UsageError, match="--lake"):
        fresh_folder(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_fresh_folder_refuses_a_lake_of_others(tmp_path: Path) -> None:
    """A lake without the demo's mark is someone's work."""
    (tmp_path / "samples").mkdir()
    with pytest.raises(UsageError, match="expected no folder"):
        fresh_folder(tmp_path)
    assert (tmp_path / "samples").is_dir()


def test_fresh_folder_refuses_files_and_links(tmp_path: Path) -> None:
    """A file or a link at the place is refused."""
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "folder")
    for name in ("file", "link"):
        with pytest.raises(UsageError):
            fresh_folder(tmp_path / name)


@pytest.mark.parametrize("name", ["samples", "builds", ".headwater-demo"])
def test_fresh_folder_follows_no_link(name: str, tmp_path: Path) -> None:
    """A link in the place of what a demo made is not the demo's: nothing behind it is deleted or written over."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "mine").write_text("mine")
    fresh_folder(tmp_path / "lake")
    place = tmp_path / "lake" / name
    place.unlink(missing_ok=True)
    place.symlink_to(outside / "mine" if name.startswith(".") else outside)
    with pytest.raises(UsageError, match="files that no demo made"):
        fresh_folder(tmp_path / "lake")
    assert (outside / "mine").read_text() == "mine"


@pytest.mark.spark
def test_demo_prints_all_sections(demo_lake: DemoLake) -> None:
    """The demo shows the job, the funnel by step and by language, one why, one trace and the checks, each with its command."""
    heads = re.findall(r"^== (.+?) =+$", demo_lake.printed, re.MULTILINE)
    assert heads == [
        "The whole job",
        "The funnel",
        "Documents by language; what each stage chose: reasoning + general",
        "Why is this document out?",
        "Where does this token come from?",
        "Does it all hold?",
    ]
    commands = re.findall(r"^\$ headwater (\w+)", demo_lake.printed, re.MULTILINE)
    assert commands == ["run", "why", "trace", "verify"]
    assert "rejected: near_duplicate" in demo_lake.printed
    assert "All checks passed." in demo_lake.printed


@pytest.mark.spark
def test_demo_fits_a_terminal(demo_lake: DemoLake) -> None:
    """No line has more than 100 characters, save those that hold a path, a URL or a record's own fields."""
    long = [line for line in demo_lake.printed.splitlines() if len(line) > 100]
    assert not [line for line in long if not re.search(r"[/\\]|meta ", line)]


@pytest.mark.spark
def test_demo_funnel_reconciles(demo_lake: DemoLake) -> None:
    """Records read are samples, refusals and what is no page, samples are kept ones and rejections, kept ones are those that stages chose."""
    funnel = demo_lake.printed.split("== The funnel")[1].split("== ")[0]
    counts = [
        (label.strip(), int(n.replace(",", "")))
        for label, n in re.findall(r"^(.{40}) +(-?[\d,]+)", funnel, re.MULTILINE)
    ]
    named = dict(counts)
    refused = -sum(n for label, n in counts if label.startswith("refused: "))
    passed_over = -sum(n for label, n in counts if label.startswith("passed over: "))
    rejected = -sum(n for label, n in counts if label.startswith("rejected: "))
    chosen = sum(n for label, n in counts if " / " in label)
    assert named["records read"] == named["samples"] + refused + passed_over
    assert (refused, passed_over) == (12, 37)
    assert named["samples"] == named["kept"] + rejected
    assert 0 < chosen <= named["kept"]
    assert (named["rejected: exact_duplicate"], named["rejected: near_duplicate"]) == (-12, -12)
