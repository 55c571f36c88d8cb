"""Kills of live at random moments: no head is left sharp in any file, and no number of a person is given out twice."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.live.world import LEAST, pictures, sharp_px, soak, write_stream


@pytest.fixture(scope="module")
def stream(tmp_path_factory) -> Path:
    return write_stream(tmp_path_factory.mktemp("stream") / "a.ts")


def test_the_people_of_the_stream_show():
    assert np.mean([sharp_px(picture.mean(2)) > LEAST for picture in pictures(300)]) > 0.9


@pytest.mark.parametrize("blur", ["faces", "none"])
def test_no_head_is_left_in_any_file_whatever_is_killed(stream, tmp_path, blur):
    found, faults, numbers = soak(stream, tmp_path / "a", 1 if blur == "none" else 3, 5, blur)
    assert numbers
    assert not faults
    # Also those that were whole before the last kill, which the finished folder does not hold as new.
    videos = {name: sharp for name, sharp in found.items() if name.split(" after kill ")[0].endswith("annotated.mp4")}
    assert sum(map(len, videos.values())) > 20
    sharp = [n for some in found.values() for n in some if n > LEAST]
    if blur == "none":  # so it would look
        assert len(sharp) > 0.8 * sum(map(len, videos.values()))
    else:
        assert not {name: max(some) for name, some in found.items() if some and max(some) > LEAST}
