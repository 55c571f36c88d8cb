"""Finishing what a kill left open, at every length that the video may have reached."""

from __future__ import annotations

from fractions import Fraction

import av
import pytest

from pipeline.core.errors import PoselineError
from pipeline.live.finish import remux
from pipeline.live.painter import FRAGMENT_S, TICKS
from pipeline.video.encode import VideoWriter
from tests.live.station import SIZE, figure


def pictures(path):
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def test_a_video_cut_short_loses_a_fragment_and_no_more(tmp_path):
    rate = 5
    writer = VideoWriter(tmp_path / "live.mp4", SIZE, Fraction(1, TICKS), Fraction(25), fragment_s=FRAGMENT_S)
    (partial,) = tmp_path.glob(".live.mp4.*.partial")
    lost = []
    for i in range(23):
        writer.write(figure(i / 25), i * TICKS // rate)
        (tmp_path / "cut.mp4").write_bytes(partial.read_bytes())
        target = tmp_path / f"{i}.mp4"
        remux(tmp_path / "cut.mp4", target)
        lost.append(i + 1 - (pictures(target) if target.exists() else 0))
    writer.close()
    assert max(lost) <= FRAGMENT_S * rate + 1
    assert min(lost) < max(lost)
    remux(tmp_path / "live.mp4", tmp_path / "whole.mp4")
    assert pictures(tmp_path / "whole.mp4") == 23


def test_a_video_cut_in_the_middle_of_a_fragment_gives_what_is_whole(tmp_path):
    with VideoWriter(tmp_path / "live.mp4", SIZE, Fraction(1, TICKS), Fraction(25), fragment_s=FRAGMENT_S) as writer:
        for i in range(100):
            writer.write(figure(i / 25), i * TICKS // 25)
    data = (tmp_path / "live.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(data[: len(data) * 2 // 3])
    remux(tmp_path / "cut.mp4", tmp_path / "rest.mp4")
    assert 25 <= pictures(tmp_path / "rest.mp4") < 100


def test_what_is_no_video_is_said(tmp_path):
    (tmp_path / "live.mp4").write_bytes(b"nothing of the kind" * 100)
    with pytest.raises(PoselineError, match="cannot be read"):
        remux(tmp_path / "live.mp4", tmp_path / "rest.mp4")
    assert not (tmp_path / "rest.mp4").exists()
