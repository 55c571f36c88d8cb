"""Exports beside tables that are made again: moved aside where the tables changed, and left where they did not."""

from __future__ import annotations

from pathlib import Path

from pipeline.core.config import Config, with_settings
from pipeline.core.progress import Progress
from pipeline.export.run import FORMATS, Each, export_run
from pipeline.export.stale import ASIDE, exported, set_aside
from pipeline.finish import track
from pipeline.store.folder import RunFolder
from pipeline.tracking.edits import parse
from pipeline.tracking.edits_file import add
from tests.export.runs import make_run, person, times
from tests.tracking.test_edits import folder  # noqa: F401  a run of four people

T = times(20)


class Heard(Progress):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)


def test_every_format_is_found_and_nothing_else_is(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", [person(1, range(9), T, metres=True, quantities=["trunk_lean_deg"])], T)
    for name in set(FORMATS) - {"coco", "mot"}:  # those read tracks.parquet, which this run lacks
        export_run(run, name)
    for name in ("coco.json", "mot.txt"):
        (run.path / name).touch()
    own = [run.path / "trc" / "mine.trc", run.path / "openpose" / "notes.json", run.path / "c3d" / "person_1.c3d"]
    for path in own:
        path.touch()
    assert {name for name, _ in exported(run)} == set(FORMATS)
    (line,) = set_aside(run)
    assert line.startswith(f"{run.path}: exports of other tables (csv, trc, ")
    assert f"poseline export {run.path} --format c3d" in line
    assert not list(exported(run))
    assert all(path.is_file() for path in own)
    assert not (run.path / "sto").exists()
    assert (run.path / ASIDE / "trc" / "person_0001.trc").is_file()
    assert set_aside(run) == []
    assert all(isinstance(form, Each) or form.default for form in FORMATS.values())


def test_tables_of_other_settings_and_edits_put_exports_aside_and_the_same_ones_do_not(folder: RunFolder) -> None:  # noqa: F811
    heard = Heard()

    def again(*sets: str) -> tuple[bool, int]:
        """Whether the export is where it was, and how many lines told that it is not, after tracking."""
        heard.lines.clear()
        track(folder, with_settings(Config(), ["track.relink=false", *sets]), heard)
        return (folder.path / "everybody.csv").is_file(), sum(ASIDE in line for line in heard.lines)

    again()
    export_run(folder, "csv")
    assert again() == (True, 0)
    assert again("render.scale=0.5") == (True, 0)
    assert again("metres.height_m=2.0") == (False, 1)
    assert (folder.path / ASIDE / "everybody.csv").is_file()
    export_run(folder, "csv")
    assert again("metres.height_m=2.0") == (True, 0)
    add(folder, parse(drop=[1]))
    assert again("metres.height_m=2.0") == (False, 1)
