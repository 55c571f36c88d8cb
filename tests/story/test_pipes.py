"""Two videos through pipes into one folder: each has a run of its own, and its copy is never overwritten."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipeline import PoselineError, workflow
from pipeline.core.progress import Silent
from pipeline.video.index import index_video
from tests.video.clips import Clip, write_clip


@pytest.fixture
def piped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A function that prepares a run of a video that comes through standard input; returns its run folder's path."""

    def prepared(data: bytes) -> Path:
        monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=BytesIO(data)))
        asked = workflow._asked(
            "-", str(tmp_path / "out"), "default", None, (None, None), False, False, False, None, False
        )
        job = workflow._job(Path("-"), asked, {}, Silent())
        job.held.close()
        return job.folder.path

    return prepared


def test_each_of_two_videos_gets_its_own_run_and_keeps_its_copy(tmp_path: Path, piped) -> None:
    clips = [write_clip(Clip(f"{n}.mp4", frames=n), tmp_path) for n in (5, 7)]
    first, second = (piped(clip.read_bytes()) for clip in clips)
    assert first.name == "stdin"
    assert second.name == f"stdin-{index_video(clips[1]).digest[:8]}"
    for clip, folder in zip(clips, (first, second), strict=True):
        assert (folder / "stdin.video").read_bytes() == clip.read_bytes()
        assert workflow.RunFolder(folder).manifest()["video"]["path"] == str(folder / "stdin.video")
    assert [piped(clip.read_bytes()) for clip in clips] == [first, second]  # the same videos go on where they were
    assert sorted(p.name for p in (tmp_path / "out").rglob("*stdin*")) == [
        "stdin", second.name, "stdin.video", "stdin.video"
    ]  # fmt: skip


def test_what_is_no_video_leaves_the_one_of_before_alone(tmp_path: Path, piped) -> None:
    clip = write_clip(Clip("a.mp4", frames=5), tmp_path)
    folder = piped(clip.read_bytes())
    with pytest.raises(PoselineError, match=r"^-: not a video"):
        piped(b"no video" * 100)
    assert sorted(p.name for p in folder.iterdir() if p.is_file()) == ["run.json", "stdin.video"]
    assert (folder / "stdin.video").read_bytes() == clip.read_bytes()
