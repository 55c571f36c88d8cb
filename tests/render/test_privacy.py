"""Everything that makes a picture is given a `Privacy`, and what it hides is hidden in all of them.

`MAKERS` names each file of the package that writes pictures or shows a video, and how it keeps to it. A file that is
not named fails the first test.
"""

from __future__ import annotations

import ast
import inspect
import re
import shutil
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.core.config import Config
from pipeline.core.progress import Silent
from pipeline.core.types import Observations, VideoInfo
from pipeline.finish import render_run
from pipeline.live.painter import LivePainter
from pipeline.render.ground_picture import frame_at
from pipeline.render.plot import plot_person
from pipeline.render.privacy import Privacy
from pipeline.render.sheet import CELL_PX, GAP_PX, contact_sheet
from pipeline.render.video import Painter, render
from pipeline.report.write import write_report
from pipeline.store.folder import RunFolder
from pipeline.store.manifest import Manifest
from pipeline.store.parts import write_part
from pipeline.store.settings import render_digest
from pipeline.video.encode import VideoWriter
from pipeline.video.index import index_video
from tests.heads import Walker, disc, draw_heads, fine, luma_of, walker
from tests.render.test_contact_sheet import tracks
from tests.render.test_render import run_folder
from tests.report.runs import facts_of, report_run

ROOT = Path(__file__).resolve().parents[2]
WRITES = re.compile(r"VideoWriter\(|imencode|imwrite|savefig|\.save\(|add_stream|say\.video_facts\(")
GIVEN, NO_PICTURE, BELOW = "is given a Privacy", "shows no pixel of a video", "writes what it is handed"
MAKERS = {
    "render/video.py": GIVEN,
    "render/sheet.py": GIVEN,
    "render/ground_picture.py": GIVEN,
    "live/painter.py": GIVEN,
    "report/write.py": GIVEN,
    "render/plot.py": NO_PICTURE,
    "render/plot_cycles.py": NO_PICTURE,
    "measure/heat.py": NO_PICTURE,
    "models/openmm/export.py": NO_PICTURE,  # networks
    "observe/camera.py": BELOW,  # makes people coarse itself: tests/observe/test_camera.py
    "live/finish.py": BELOW,  # packets of a video that live/painter.py drew
    "video/encode.py": BELOW,
    "video/photo.py": BELOW,
    "video/audio.py": BELOW,
    "video/runs.py": BELOW,
}
READS = {"pipeline.video.decode", "pipeline.video.planes", "pipeline.video.sources", "pipeline.video.images"}
SIZE_PX, FPS, FRAMES = (320, 240), 25, 40


# --- nothing makes pictures that is not named here -------------------------------------------------------------------


def test_whoever_makes_pictures_is_named():
    files = (ROOT / "pipeline").rglob("*.py")
    found = {p.relative_to(ROOT / "pipeline").as_posix() for p in files if WRITES.search(p.read_text())}
    assert found == set(MAKERS)


@pytest.mark.parametrize("maker", [Painter, LivePainter, contact_sheet, frame_at, write_report])
def test_it_must_be_given(maker):
    (given,) = [p for p in inspect.signature(maker).parameters.values() if p.annotation == "Privacy"]
    assert given.default is inspect.Parameter.empty


@pytest.mark.parametrize("file", [name for name, how in MAKERS.items() if how == NO_PICTURE])
def test_what_shows_no_video_reads_none(file):
    tree = ast.parse((ROOT / "pipeline" / file).read_text())
    read = {n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    assert not read & READS


def test_no_regions_are_drawn_but_by_privacy():
    """Who else hides something decides something."""
    wanted = re.compile(r"obscure_heads|obscure_people|regions_by_frame|(?<!render)(?<!given)(?<!cv2)\.blur\b")
    files = [p for p in (ROOT / "pipeline").rglob("*.py") if wanted.search(p.read_text())]
    found = {p.relative_to(ROOT / "pipeline").as_posix() for p in files}
    assert found == {"render/privacy.py", "render/regions.py", "render/draw/obscure.py"}


# --- and all of them hide --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def scene(tmp_path_factory) -> tuple[RunFolder, list[Walker]]:
    """A run of a video of two people's heads."""
    path = tmp_path_factory.mktemp("privacy") / "two.mp4"
    times = np.arange(FRAMES) / FPS
    stub = VideoInfo(path, SIZE_PX, 0, Fraction(1, FPS), Fraction(FPS), np.arange(FRAMES), times,
                     np.ones(FRAMES, bool), False, "", "h264", "yuv420p", "file")  # fmt: skip
    walkers = [
        walker(stub, 1, (60.0, 230.0), (40.0, 0.0), 190.0),
        walker(stub, 2, (250.0, 220.0), (-20.0, 0.0), 150.0, seed=2),
    ]
    with VideoWriter(path, SIZE_PX, Fraction(1, FPS), Fraction(FPS), crf=2, preset="ultrafast") as writer:
        for i in range(FRAMES):
            image = np.full((SIZE_PX[1], SIZE_PX[0], 3), 120, np.uint8)
            draw_heads(image, walkers, i)
            writer.write(image, i)
    return run_folder(path.parent / "run", index_video(path), [w.motion for w in walkers]), walkers


def left(luma: np.ndarray, walkers: list[Walker]) -> float:
    """The most that is left of the pattern of a head in any frame."""
    return max(
        fine(picture, disc(SIZE_PX, w.centre_px[i], w.radius_px)) for i, picture in enumerate(luma) for w in walkers
    )


@pytest.mark.parametrize("blur", ["faces", "people"])
def test_the_video_hides_heads(scene, tmp_path, blur):
    folder, walkers = scene
    assert left(luma_of(folder.path.parent / "two.mp4"), walkers) > 30
    render(folder, Config.model_validate({"render": {"blur": blur, "crf": 4}}), out=tmp_path / "a.mp4")
    assert left(luma_of(tmp_path / "a.mp4"), walkers) < 12


@pytest.mark.parametrize("blur", ["faces", "people"])
def test_the_sheet_hides_heads(scene, tmp_path, blur):
    folder, walkers = scene
    tracks(folder, [w.motion for w in walkers])

    def pattern(privacy: Privacy) -> float:
        """Share of the sheet's pictures in which neighbours differ as they do in heads."""
        sheet = cv2.imread(str(contact_sheet(folder, privacy, tmp_path / "a.png")), cv2.IMREAD_GRAYSCALE)
        pictures = sheet[GAP_PX + 2 : GAP_PX + CELL_PX[1] - 2, GAP_PX + 2 : GAP_PX + CELL_PX[0] - 2]
        return float((np.abs(np.diff(pictures.astype(float), axis=1)) > 40).mean())

    assert pattern(Privacy()) > 0.005
    assert pattern(Privacy(blur)) == pattern(Privacy(blur, black=True)) == 0


def test_the_picture_for_points_of_the_ground_hides_heads(scene):
    folder, walkers = scene

    def pattern(privacy: Privacy) -> float:
        image = frame_at(folder, None, privacy)[0].mean(2)
        return max(fine(image, disc(SIZE_PX, w.centre_px[0], w.radius_px)) for w in walkers)

    assert pattern(Privacy()) > 30
    assert max(pattern(p) for p in (Privacy("faces"), Privacy("people"), Privacy(black=True))) < 12


def test_curves_show_no_picture(tmp_path):
    """Of a person and of a run whose video is gone, they are the same."""
    assert plot_person(report_run(tmp_path / "run", video=False), 1).is_file()


def source_of(folder: RunFolder, tmp_path: Path, **settings: str) -> RunFolder:
    """The run with its source on the disk, and settings of [render]."""
    source = tmp_path / "source.mp4"
    with VideoWriter(source, (64, 48), Fraction(1, 25), Fraction(25)) as writer:
        writer.write(np.zeros((48, 64, 3), np.uint8), 0)
    manifest = folder.manifest()
    manifest["video"]["path"] = str(source)
    manifest["config"] = Config.model_validate({"render": settings}).model_dump(mode="json")
    folder.write_manifest(Manifest(manifest))
    return folder


def shown(folder: RunFolder, privacy: Privacy) -> str:
    """Which video the report plays."""
    page = write_report(folder, privacy)
    video = facts_of(page)["video"]
    assert (video["src"] is None) == (video["kind"] == "none")
    assert page.read_text().count("../source.mp4") == (video["kind"] == "source")
    return video["kind"]


def test_the_report_plays_the_source_only_where_nothing_is_hidden(tmp_path):
    folder = source_of(report_run(tmp_path / "run", video=False), tmp_path)
    assert shown(folder, Privacy()) == "source"
    for hides in (Privacy("faces"), Privacy("people"), Privacy(black=True), Privacy("faces", black=True)):
        assert shown(folder, hides) == "none"


def test_the_report_plays_a_video_only_where_it_hides_as_much(tmp_path):
    folder = source_of(report_run(tmp_path / "run"), tmp_path)
    assert shown(folder, Privacy()) == "annotated"  # nobody asked for more
    assert shown(folder, Privacy("faces")) == "none"  # run.json does not say how it was drawn
    for drawn, plays in (("none", ""), ("faces", "faces"), ("people", "faces people")):
        folder.write_manifest(Manifest(folder.manifest() | {"rendered_privacy": Privacy(drawn).facts()}))
        for asked in ("faces", "people"):
            assert shown(folder, Privacy(asked)) == ("annotated" if asked in plays else "none"), (drawn, asked)
    folder.write_manifest(Manifest(folder.manifest() | {"rendered_privacy": Privacy("none", black=True).facts()}))
    assert shown(folder, Privacy("people")) == "annotated"


def test_a_video_of_an_earlier_version_is_played_where_its_settings_hide_as_much(tmp_path):
    folder = source_of(report_run(tmp_path / "run"), tmp_path, blur="faces")
    manifest = folder.manifest()
    digest = render_digest(manifest, Config.model_validate({"render": {"blur": "faces"}}))
    folder.write_manifest(Manifest(manifest | {"rendered": digest}))
    assert shown(folder, Privacy("faces")) == "annotated"
    assert shown(folder, Privacy("people")) == "none"


def test_a_report_is_as_strict_as_the_video_was_drawn(tmp_path):
    """Whoever hid faces once does not get the source back because the video is gone."""
    settings = Config().render
    assert Privacy.of_run(settings, {}) == Privacy()
    assert Privacy.of_run(settings, {"rendered_privacy": {"blur": "faces", "black": False}}) == Privacy("faces")
    people = settings.model_copy(update={"blur": "people"})
    assert Privacy.of_run(people, {"rendered_privacy": {"blur": "faces", "black": True}}) == Privacy("people", True)
    assert Privacy.of_run(settings, {"rendered_privacy": {"blur": "some"}}) == Privacy()


def test_parts_that_do_not_say_who_may_be_there_are_named(scene, tmp_path, monkeypatch):
    """Those of earlier versions, in which nobody but people is."""
    folder = RunFolder(tmp_path / "run")
    shutil.copytree(scene[0].path, folder.path)
    hides = Config.model_validate({"render": {"blur": "faces"}})
    write_part(folder.part(0), Observations.empty(17, "coco17"), (0, FRAMES), "", [])
    assert not render(folder, hides, out=tmp_path / "a.mp4")["notes"]
    monkeypatch.setattr("pipeline.store.parts.KEEPS_FAINT", "another key")
    (note,) = render(folder, hides, out=tmp_path / "a.mp4")["notes"]
    assert "--force" in note
    assert not render(folder, Config(), out=tmp_path / "a.mp4")["notes"]


class _Said(Silent):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)


def test_a_video_that_hides_less_than_the_run_did_is_remarked_upon():
    faces, drawn = Config.model_validate({"render": {"blur": "faces"}}).render, {"blur": "people", "black": False}
    (line,) = Privacy().remark(faces, {})
    assert "--blur faces" in line
    (line,) = Privacy("faces").remark(faces, {"rendered_privacy": drawn})
    assert "--blur people" in line
    assert not Privacy("people").remark(faces, {"rendered_privacy": drawn})
    assert not Privacy(black=True).remark(faces, {"rendered_privacy": drawn})
    assert not Privacy().remark(Config().render, {})


def test_a_run_folder_says_how_its_video_was_drawn(scene, tmp_path, monkeypatch):
    """Also where a kill comes between the new video and what is said of it."""
    folder = RunFolder(tmp_path / "run")
    shutil.copytree(scene[0].path, folder.path, dirs_exist_ok=True)
    off = {"report": {"enabled": False}}
    digests = {"observe_digest": "o", "config_digest": "c", "finished": True}
    digests["config"] = Config().model_dump(mode="json")
    folder.write_manifest(Manifest(folder.manifest() | digests | {"frames_observed": [0, FRAMES]}))
    render_run(folder, Config.model_validate({"render": {"blur": "faces"}} | off))
    assert folder.manifest()["rendered_privacy"] == {"blur": "faces", "black": False}

    def killed(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("pipeline.finish.render_digest", killed)
    said = _Said()
    with pytest.raises(KeyboardInterrupt):
        render_run(folder, Config.model_validate(off), said)
    assert any("hides less" in line for line in said.lines)
    assert "rendered_privacy" not in folder.manifest()
    assert not Privacy("faces").shows_video(folder.manifest())
