import shutil
from pathlib import Path

import numpy as np
import pytest

import pipeline.report.write
from pipeline.core.errors import PoselineError
from pipeline.finish import track
from pipeline.render.privacy import Privacy
from pipeline.report import facts as say
from pipeline.report.blocks import Seconds, Table, plan, spans
from pipeline.report.columns import by_group
from pipeline.report.methods import write_methods
from pipeline.report.pack import packed_bytes
from pipeline.report.write import write_report
from pipeline.store.folder import RunFolder
from pipeline.store.manifest import Manifest
from pipeline.workflow import run
from tests.report.runs import BAD_NAME, FRAMES, SHOWN, facts_of, pts, report_run
from tests.story.test_run import CLIP, QUICK, load_config


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return report_run(tmp_path_factory.mktemp("report") / "walk 1")


@pytest.fixture(scope="module")
def page(folder: RunFolder) -> Path:
    return write_report(folder, Privacy())


def test_the_page_holds_who_was_there_when(page: Path) -> None:
    facts = facts_of(page)
    one, two = facts["people"]
    runs = np.array(one["spans"]).reshape(-1, 3)
    frames = np.concatenate([np.arange(a, a + n) for a, n, _ in runs])
    assert frames.tolist() == [*range(SHOWN[0], 30), *range(34, SHOWN[1])]
    seen = np.concatenate([np.full(n, s) for _, n, s in runs])
    assert (seen == (frames % 5 != 4)).all()
    assert two["suspicious"] == [[3.6, "identities exchanged here, by clothes"]]
    assert facts["frames"] == [*SHOWN, FRAMES]
    assert facts["warnings"] == ["3D: people are taken to be 1.70 m tall; give --height"]
    assert facts["thinning"] == {"1": 1, "2": 1, "3": 1, "space": 1}


def test_the_page_holds_the_methods_section(page: Path, folder: RunFolder) -> None:
    told, written = facts_of(page)["methods"], write_methods(folder)
    folder.methods_md.unlink()
    folder.methods_txt.unlink()
    assert told["text"] == written.text
    assert [title for title, _ in told["parts"]] == [title for title, _ in written.parts]


def test_names_cannot_leave_their_place(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert BAD_NAME not in text
    assert facts_of(page)["people"][0]["name"] == BAD_NAME
    assert "document.title='taken'</script>" not in text


def test_nothing_in_the_page_but_the_library_names_an_address(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert "://" not in text.split("<script")[0]
    assert "://" not in facts_of(page)["video"]["src"]
    assert " src=" not in text.split("<script>")[0]


def test_annotated_mp4_starts_at_the_first_frame_observed(page: Path) -> None:
    video = facts_of(page)["video"]
    assert video["src"] == "annotated.mp4"
    assert video["at_zero_s"] == pytest.approx(pts()[SHOWN[0]] / 1000, abs=1e-6)


def test_a_video_of_a_part_starts_at_its_own_first_frame(tmp_path: Path, folder: RunFolder) -> None:
    part = report_run(tmp_path / "run")
    part.write_manifest(Manifest(part.manifest() | {"rendered_frames": [SHOWN[0] + 3, SHOWN[1]]}))
    video = facts_of(write_report(part, Privacy()))["video"]
    assert video["at_zero_s"] == pytest.approx(pts()[SHOWN[0] + 3] / 1000, abs=1e-6)


def test_without_a_video_the_source_is_shown_and_without_that_nothing(tmp_path: Path, folder: RunFolder) -> None:
    bare = report_run(tmp_path / "run", video=False)
    assert facts_of(write_report(bare, Privacy()))["video"]["kind"] == "none"
    source = tmp_path / "a b#c" / "wälk%20?.mp4"
    source.parent.mkdir()
    shutil.copy(folder.video, source)
    manifest = bare.manifest()
    manifest["video"]["path"] = str(source)
    bare.write_manifest(Manifest(manifest))
    video = facts_of(write_report(bare, Privacy()))["video"]
    assert video["kind"] == "source"
    assert video["src"] == "../a%20b%23c/w%C3%A4lk%2520%3F.mp4"


def test_a_run_that_is_not_finished_is_refused(tmp_path: Path) -> None:
    bare = report_run(tmp_path / "run", video=False)
    bare.write_manifest(Manifest(bare.manifest() | {"finished": False}))
    with pytest.raises(PoselineError, match="not finished"):
        write_report(bare, Privacy())
    assert not bare.report.exists()


def test_a_damaged_table_is_named_and_an_old_report_stays(tmp_path: Path) -> None:
    bare = report_run(tmp_path / "run", video=False)
    before = write_report(bare, Privacy()).read_bytes()
    (bare.people / "person_0002.parquet").write_bytes(b"no table")
    with pytest.raises(PoselineError, match=r"person_0002\.parquet.*poseline track"):
        write_report(bare, Privacy())
    assert bare.report.read_bytes() == before


def test_nobody_there_is_a_page_too(tmp_path: Path) -> None:
    bare = report_run(tmp_path / "run", video=False)
    header = bare.people_csv.read_text().splitlines()[0]
    bare.people_csv.write_text(header + "\n")
    assert facts_of(write_report(bare, Privacy()))["people"] == []


def test_the_same_run_gives_the_same_bytes(page: Path, folder: RunFolder) -> None:
    before = page.read_bytes()
    assert write_report(folder, Privacy()).read_bytes() == before


def test_what_matters_least_is_thinned_first(folder: RunFolder) -> None:
    tables = [Table(folder.people / f"person_000{i}.parquet") for i in (1, 2)]
    groups = by_group(tables[0].names)
    assert plan(tables, groups, 17, 1e9) == ({1: 1, 2: 1, 3: 1}, 1)
    tight = plan(tables, groups, 17, 5e3)
    assert tight.tiers[3] > max(tight.tiers[1], tight.tiers[2]) >= 1
    tighter = plan(tables, groups, 17, 1e3)
    assert all(tighter.tiers[t] >= tight.tiers[t] for t in (1, 2, 3))


def test_a_page_that_would_be_too_large_is_thinned_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bare = report_run(tmp_path / "run", video=False)
    monkeypatch.setattr(pipeline.report.write, "charting_library", lambda: packed_bytes(b""))
    full = write_report(bare, Privacy()).stat().st_size
    facts = facts_of(write_report(bare, Privacy(), max_mb=0.01))
    assert bare.report.stat().st_size < full
    assert facts["thinning"]["3"] > 2
    assert facts["people"][0]["curves"]["raw"]["every"] == facts["thinning"]["3"]


def test_spans_tell_measured_from_bridged() -> None:
    frame, seen = np.array([3, 4, 5, 9, 10]), np.array([True, True, False, False, True])
    assert spans(frame, seen) == [3, 2, 1, 5, 1, 0, 9, 1, 0, 10, 1, 1]
    assert spans(frame[:0], seen[:0]) == []


def test_seconds_add_up_in_their_cells() -> None:
    seconds = Seconds(0.5)
    seconds.add(np.array([[0.1, 0.1], [0.2, 0.2], [0.7, 0.1], [np.nan, 0]]), np.array([0.0, 0.5, 1.0, 1.5]))
    facts = seconds.facts()
    assert facts is not None
    assert dict(zip(zip(facts["x"], facts["y"], strict=True), facts["s"], strict=True)) == {
        (0.25, 0.25): 0.75,
        (0.75, 0.25): 0.25,
    }
    assert Seconds(0.5).facts() is None


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", []),
        ("6.00 s: identities exchanged here, by clothes", [[6.0, "identities exchanged here, by clothes"]]),
        ("1.00 s: a; with more; -2.50 s: b", [[1.0, "a; with more"], [-2.5, "b"]]),
        ("something else", [[None, "something else"]]),
    ],
)
def test_moments_of_people_csv(text: str, found: list) -> None:
    assert say.moments(text) == found


def test_a_run_ends_with_its_report(tmp_path: Path) -> None:
    done = run(CLIP, tmp_path, load_config("default", QUICK), end_s=0.1)[0]
    facts = facts_of(done.report)
    assert facts["video"]["kind"] == "annotated"
    assert not facts["stale"]
    assert "report" in done.manifest()["stages_s"]
    track(done, load_config("default", [*QUICK, "smooth.method=none"]))
    assert facts_of(done.report)["stale"]  # the tables are new, the video is not


def test_no_report_where_none_is_wanted(tmp_path: Path) -> None:
    config = load_config("default", QUICK)
    assert not run(CLIP, tmp_path, config, end_s=0.1, render=False, report=False)[0].report.exists()
    off = load_config("default", [*QUICK, "report.enabled=false"])
    assert not track(tmp_path / "laboratory", off).report.exists()
    assert track(tmp_path / "laboratory", config).report.exists()


def test_a_report_that_fails_does_not_lose_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pipeline.core.progress import Progress

    class Lines(Progress):
        said: list[str] = []  # noqa: RUF012

        def say(self, line: str) -> None:
            self.said.append(line)

    def fail(*_: object) -> None:
        raise RuntimeError("no room")

    monkeypatch.setattr(pipeline.report.write, "write_report", fail)
    lines = Lines()
    done = run(CLIP, tmp_path, load_config("default", QUICK), end_s=0.1, render=False, progress=lines)[0]
    assert done.manifest()["finished"]
    assert done.tracks.exists()
    assert any("report.html: not written (no room); poseline report" in line for line in lines.said)
