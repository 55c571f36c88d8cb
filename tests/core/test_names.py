"""Names that are no UTF-8, as they are shown, written and quoted; the report, exports and live's lines take them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from pipeline.core.names import quoted_path, shown_name, written
from pipeline.core.skeleton import COCO17
from pipeline.export.run import FORMATS, export_run
from pipeline.live.folder import LiveFolder
from pipeline.live.jsonl import JsonLines
from pipeline.render.privacy import Privacy
from pipeline.report.write import write_report
from pipeline.store.folder import RunFolder
from pipeline.store.manifest import Manifest
from tests.report.runs import facts_of, report_run

NAME = os.fsdecode(b"gr\xfc\xdfe {{data}}\n.mp4")  # Latin 1
IN_URL = "gr%FC%DFe%20%7B%7Bdata%7D%7D%0A.mp4"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    folder = report_run(tmp_path_factory.mktemp("names") / "run", names={1: "Ann"})
    source = folder.path.parent / NAME
    source.touch()
    folder.video.unlink()
    manifest = folder.manifest()
    manifest["video"]["path"] = str(source)
    folder.write_manifest(Manifest(manifest))
    return folder


def test_names_are_shown_in_one_line_written_as_utf8_and_quoted_by_bytes() -> None:
    assert shown_name(Path("in") / NAME) == "gr\\udcfc\\udcdfe {{data}}\\n.mp4"
    assert json.loads(written(json.dumps(NAME, ensure_ascii=False)).encode()) == NAME
    assert quoted_path(Path("a b") / NAME) == f"a%20b/{IN_URL}"
    assert written("grüße") == "grüße"


def test_the_report_of_a_video_whose_name_is_no_utf8(folder: RunFolder) -> None:
    page = write_report(folder, Privacy())
    assert facts_of(page)["video"]["src"] == f"../{IN_URL}"
    assert f"<title>{shown_name(NAME)} · poseline</title>" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize("form", [form for form in FORMATS if form not in ("mot", "coco")])  # these read tracks.parquet
def test_every_export_of_a_video_whose_name_is_no_utf8(folder: RunFolder, tmp_path: Path, form: str) -> None:
    for package in {"movement": ["h5py", "h5netcdf"], "c3d": ["ezc3d"]}.get(form, []):
        pytest.importorskip(package)
    assert export_run(folder, form, tmp_path / f"out-{form}").exists()


def test_lives_lines_and_events_take_any_name(tmp_path: Path) -> None:
    said: list[str] = []
    lines = JsonLines(str(tmp_path / "people.jsonl"), COCO17, (), NAME, said.append)
    lines.frame({"frame": 0, "segment": NAME}, [], {})
    lines.close()
    assert not said
    header, frame = (json.loads(line) for line in (tmp_path / "people.jsonl").read_text("utf-8").splitlines())
    assert (header["source"], frame["segment"]) == (NAME, NAME)
    (tmp_path / "live").mkdir()
    LiveFolder(tmp_path / "live").event("started", {"source": NAME})
    assert json.loads((tmp_path / "live" / "events.jsonl").read_text("utf-8"))["source"] == NAME
