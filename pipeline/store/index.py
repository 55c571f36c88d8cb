"""The frame index: the pts table of a run's video, so that later stages need not read the video for its times."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.core.errors import PoselineError
from pipeline.core.types import VideoInfo
from pipeline.store.checked import read_table, write_table
from pipeline.store.folder import RunFolder


def write_index(folder: RunFolder, info: VideoInfo) -> None:
    """Keep the pts table beside the observations, so that later stages need not read the video for its times."""
    table = pa.table(
        {
            "frame": pa.array(np.arange(len(info))),
            "pts": pa.array(info.pts),
            "time_s": pa.array(info.time_s),
            "is_key": pa.array(info.is_key),
        },
    )
    write_table(folder.observations / "index.parquet", table, {"video_digest": info.digest})


def read_index(folder: RunFolder) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """pts (T,) i64, time_s (T,) f64 and is_key (T,) bool of the run's video."""
    path = folder.observations / "index.parquet"
    try:
        table = read_table(path)
        return table["pts"].to_numpy(), table["time_s"].to_numpy(), table["is_key"].to_numpy()
    except (OSError, pa.ArrowException, KeyError, ValueError) as error:
        raise PoselineError(f"{path}: missing or damaged; run poseline run on the video again") from error


def real_times(folder: RunFolder) -> np.ndarray:
    """(T,) f64 real times in s of the frames of the run's video, as the tables have them."""
    if folder.begun().recorded_fps is None:
        return read_index(folder)[1]
    return stored_video(folder).real_s


def indexed_digest(folder: RunFolder) -> str:
    """The digest of the video that the folder's index describes; empty without a readable index."""
    try:
        meta = pq.read_schema(folder.observations / "index.parquet").metadata or {}
        return meta.get(b"video_digest", b"").decode()
    except (OSError, pa.ArrowException, ValueError):
        return ""


def stored_video(folder: RunFolder) -> VideoInfo:
    """The VideoInfo a run was made with, from run.json and the index, without reading the video."""
    manifest = folder.begun()
    facts = manifest.told["video"]
    pts, time_s, is_key = read_index(folder)
    info = VideoInfo(
        path=Path(facts["path"]),
        size_px=(facts["width_px"], facts["height_px"]),
        rotation_deg=facts["rotation_deg"],
        time_base=Fraction(facts["time_base"]),
        fps=Fraction(facts["fps"]),
        pts=pts,
        time_s=time_s,
        is_key=is_key,
        has_audio=facts["has_audio"],
        digest=facts["digest"],
        codec=facts["codec"],
        pixel_format=facts["pixel_format"],
        kind=facts["kind"],
    )
    if facts["frames"] != len(info):
        raise PoselineError(f"{folder.manifest_file}: its video is not that of the index; poseline run on it mends it")
    return info.recorded_at(manifest.recorded_fps)
