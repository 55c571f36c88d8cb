"""Whether the tables and video of a run of a whole video are there and sane: python scripts/check_run.py RUN VIDEO."""

from __future__ import annotations

import json
import platform
import sys
from pathlib import Path

import av
import numpy as np
import pandas as pd


def frames_of(path: Path) -> tuple[int, tuple[int, int], float]:
    """Frames that decode, their size in pixels, and the time from the first to the last in seconds."""
    with av.open(str(path)) as container:
        times, size_px = [], (0, 0)
        for frame in container.decode(video=0):
            times.append(frame.time)
            size_px = (frame.width, frame.height)
    return len(times), size_px, times[-1] - times[0]


def main(run: Path, video: Path) -> None:
    """An AssertionError names what is wrong."""
    frames, size_px, span_s = frames_of(video)
    facts = json.loads((run / "run.json").read_text())
    assert facts["finished"], "run.json does not call the run finished"
    assert facts["video"]["frames"] == frames, f"run.json has {facts['video']['frames']} frames, the video {frames}"
    people, tracks = pd.read_parquet(run / "people.parquet"), pd.read_parquet(run / "tracks.parquet")
    assert len(people) > 0, "nobody is in people.parquet"
    assert set(people.person_id) == set(tracks.person_id), "people.parquet and tracks.parquet differ in their people"
    for person in people.person_id:
        table = pd.read_parquet(run / "people" / f"person_{person:04d}.parquet")
        text = pd.read_csv(run / "people" / f"person_{person:04d}.csv")
        assert list(text) == list(table), f"person {person}: the CSV file has other columns"
        assert 0 < len(table) == len(text) <= frames, f"person {person}: {len(table)} and {len(text)} rows"
        time_s = table.time_s.to_numpy()
        assert (np.diff(time_s) > 0).all(), f"person {person}: times do not rise"
        for side, axis in zip(size_px, "xy", strict=True):
            points = table[[f"{name}_{axis}_px" for name in facts["keypoints"]["names"]]].to_numpy(float)
            inside = (points > -0.1 * side) & (points < 1.1 * side)
            assert inside.mean() > 0.5, f"person {person}: {inside.mean():.0%} of {axis} are numbers in the picture"
    drawn = frames_of(run / "annotated.mp4")
    assert drawn[:2] == (frames, size_px), f"annotated.mp4 has {drawn[0]} frames of {drawn[1]} pixels"
    assert abs(drawn[2] - span_s) < 0.001, f"annotated.mp4 lasts {drawn[2]:.3f} s, the video {span_s:.3f} s"
    assert (run / "report.html").stat().st_size > 10_000, "report.html is too small"
    print(f"{run.name}: {len(people)} people, {frames} frames: sane on Python {platform.python_version()}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
