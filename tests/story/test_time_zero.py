"""--time-zero: a time of the video that is 0 in all tables; nothing but times changes, and the video's stand beside."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

from pipeline import track
from pipeline.core.config import Config, with_settings
from pipeline.core.errors import PoselineError
from pipeline.export.run import export_run
from pipeline.finish import zero_warnings
from pipeline.live.run import live
from pipeline.store.folder import RunFolder
from pipeline.store.index import real_times, stored_video
from pipeline.store.settings import later_config
from tests.tracking.test_edits import TIME_S, folder, video_info  # noqa: F401  a run of four people, without networks

ZERO_S = 1.5


def test_real_time_begins_at_the_zero_and_goes_at_the_recorded_pace() -> None:
    info = video_info()
    assert info.recorded_at(None).own_clock
    moved = info.recorded_at(None, ZERO_S)
    np.testing.assert_allclose(moved.real_s, TIME_S - ZERO_S)
    slow = info.recorded_at(4 * 25, ZERO_S)
    assert slow.pace == Fraction(1, 4)
    np.testing.assert_allclose(slow.real_s, (TIME_S - ZERO_S) / 4)
    for each in (moved, slow):
        assert each.in_real_s(ZERO_S) == 0
        assert each.in_video_s(each.in_real_s(3.25)) == pytest.approx(3.25)


def columns(run: RunFolder, person: int) -> pd.DataFrame:
    return pd.read_parquet(run.people / f"person_{person:04d}.parquet")


def test_only_times_change(folder: RunFolder) -> None:  # noqa: F811
    sets = ["track.relink=false"]
    track(folder, with_settings(Config(), sets))
    before, gait, people = columns(folder, 2), pd.read_csv(folder.path / "gait.csv"), pd.read_csv(folder.people_csv)
    track(folder, with_settings(Config(), [*sets, f"time.zero_s={ZERO_S}"]))
    after = columns(folder, 2)
    np.testing.assert_allclose(after["time_s"], before["time_s"] - ZERO_S, atol=1e-9)
    np.testing.assert_array_equal(after["video_time_s"], before["time_s"])
    assert list(after.columns.drop("video_time_s")) == list(before.columns)
    for name in before.columns.drop("time_s"):
        if before[name].dtype.kind == "f":
            np.testing.assert_allclose(after[name], before[name], rtol=1e-3, atol=1e-3, err_msg=name)
    steps = pd.read_csv(folder.path / "gait.csv")
    assert len(steps) == len(gait) > 0
    np.testing.assert_allclose(steps["contact_time_s"], gait["contact_time_s"] - ZERO_S, atol=1e-6)
    np.testing.assert_allclose(steps["contact_video_time_s"], gait["contact_time_s"], atol=1e-6)
    rows = pd.read_csv(folder.people_csv)
    np.testing.assert_allclose(rows["first_time_s"], people["first_time_s"] - ZERO_S, atol=1e-6)
    np.testing.assert_allclose(rows["first_video_time_s"], people["first_time_s"], atol=1e-6)
    assert folder.manifest()["time"] == {"zero_s": ZERO_S}
    np.testing.assert_allclose(real_times(folder), TIME_S - ZERO_S)
    csv = pd.read_csv(export_run(folder, "csv", offset_s=ZERO_S))
    assert csv["time_s"].min() == pytest.approx(TIME_S[0])
    # The run keeps its zero until another is given; other facts of the video stay beside it.
    assert later_config(folder, with_settings(Config(), ["time.recorded_fps=50"])).time.zero_s == ZERO_S
    assert stored_video(folder).zero_s == ZERO_S


def test_a_stream_has_its_own_clock() -> None:
    with pytest.raises(PoselineError, match=r"time\.zero_s=2: a live stream has its own clock"):
        live("rtsp://192.0.2.7/a", config=with_settings(Config(), ["time.zero_s=2"]))


def test_a_zero_outside_the_video_is_said() -> None:
    info = video_info()
    assert [zero_warnings(info.recorded_at(None, zero)) for zero in (None, 0.0, ZERO_S)] == [[], [], []]
    (late,), (early,) = (zero_warnings(info.recorded_at(None, zero)) for zero in (999.0, -5.0))
    assert "--time-zero 999" in late
    assert "below 0" in late
    assert "above 0" in early
