"""The frame index: the pts table of a run's video, so that later stages need not read the video for its times."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.core.errors import PoselineError
from pipeline.core.types import SeenPackets, VideoInfo
from pipeline.store.checked import read_table, write_table
from pipeline.store.folder import RunFolder

_SEEN = ("packet", "packet_pos", "packet_size", "packet_stamp")  # columns of `SeenPackets`, in its order


def write_index(folder: RunFolder, info: VideoInfo) -> None:
    """Keep the pts table beside the observations, so that later stages need not read the video for its times."""
    columns = {"frame": np.arange(len(info)), "pts": info.pts, "time_s": info.time_s, "is_key": info.is_key}
    if info.seen is not None:
        columns |= {name: getattr(info.seen, name.removeprefix("packet_")) for name in _SEEN}
    write_table(folder.observations / "index.parquet", pa.table(columns), {"video_digest": info.digest})


def read_index(folder: RunFolder) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """pts (T,) i64, time_s (T,) f64 and is_key (T,) bool of the run's video."""
    table = _table(folder)
    return table["pts"].to_numpy(), table["time_s"].to_numpy(), table["is_key"].to_numpy()


def _table(folder: RunFolder) -> pa.Table:
    """The stored index; PoselineError where it is missing or damaged."""
    path = folder.observations / "index.parquet"
    try:
        table = read_table(path)
        return table.select(["pts", "time_s", "is_key", *(name for name in _SEEN if name in table.column_names)])
    except (OSError, pa.ArrowException, KeyError, ValueError) as error:
        raise PoselineError(f"{path}: missing or damaged; run poseline run on the video again") from error


def _seen(table: pa.Table) -> SeenPackets | None:
    """What the index of a video that was indexed by decoding holds more than others."""
    if _SEEN[0] not in table.column_names:
        return None
    return SeenPackets(*(table[name].to_numpy() for name in _SEEN))


def real_times(folder: RunFolder) -> np.ndarray:
    """(T,) f64 real times in s of the frames of the run's video, as the tables have them."""
    manifest = folder.begun()
    if manifest.recorded_fps is None and manifest.zero_s is None:
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
    table = _table(folder)
    pts, time_s, is_key = (table[name].to_numpy() for name in ("pts", "time_s", "is_key"))
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
        pixel_aspect=Fraction(facts["pixel_aspect"]),
        mirrored=facts["mirrored"],
        deinterlace=facts["deinterlace"],
        hdr=facts["hdr"],
        peak_nits=facts["hdr_peak_nits"],
        stream=facts["stream"],
        bits=facts["bits"],
        timecode=facts["timecode"],
        created=facts["created"],
        seen=_seen(table),
    )
    if facts["frames"] != len(info):
        raise PoselineError(f"{folder.manifest_file}: its video is not that of the index; poseline run on it mends it")
    return info.recorded_at(manifest.recorded_fps, manifest.zero_s)


def decoded_before(folders: Iterable[RunFolder], digest: str) -> VideoInfo | None:
    """The video of this digest in one of the run folders, where it was indexed by decoding it without damage."""
    for folder in folders:
        if indexed_digest(folder) != digest:
            continue
        try:
            info, lines = stored_video(folder), folder.manifest().get("video_warnings", [])
        except PoselineError:
            continue  # whoever makes the folder's files again says so
        if info.seen is not None and not any("do not decode" in line for line in lines):
            return info
    return None
