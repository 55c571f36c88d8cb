"""tracks.parquet: who was where, as measured; and the metadata of every table."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.core.names import written
from pipeline.core.skeleton import Skeleton
from pipeline.core.types import MEASURED, STATE_NAMES, Motion
from pipeline.store.columns import VIDEO_TIME
from pipeline.store.manifest import FORMAT_VERSION
from pipeline.store.parts import fixed

VIDEO_FPS = "video_fps"  # in the metadata of runs whose seconds are not the video's
ON_CLOCK = "presentation time on the container's clock"
STATES = ", ".join(f"{code} {name}" for code, name in STATE_NAMES.items())


def tracks_schema(skeleton: Skeleton, facts: dict[str, Any], digest: str, pace: Fraction | None = None) -> pa.Schema:
    """Schema of tracks.parquet, with units and the run's facts, as `file_metadata` has them, in the metadata."""
    k, real = len(skeleton), pace is not None

    def column(name: str, kind: pa.DataType, unit: str, about: str) -> pa.Field:
        return pa.field(name, kind, nullable=False, metadata={"unit": unit, "description": about})

    return pa.schema(
        [
            column("person_id", pa.int32(), "1", "person, from 1 in order of appearance"),
            column("frame", pa.int64(), "1", "0-based row of the video's pts table"),
            column("time_s", pa.float64(), "s", "real time" if real else ON_CLOCK),
            *([column(VIDEO_TIME, pa.float64(), "s", ON_CLOCK)] if real else []),
            column("box_px", pa.list_(pa.float32(), 4), "px", "x1, y1, x2, y2"),
            column("score", pa.float32(), "1", "certainty, 0 in filled gaps"),
            column("keypoints_px", pa.list_(pa.float32(), 2 * k), "px", "x0, y0, x1, y1, … as measured, gaps filled"),
            column("keypoint_score", pa.list_(pa.float32(), k), "1", "certainty of each keypoint, 0 in filled gaps"),
            column("state", pa.uint8(), "1", STATES),
        ],
        metadata=file_metadata(skeleton, facts, digest, pace),
    )


def file_metadata(
    skeleton: Skeleton, facts: dict[str, Any], digest: str, pace: Fraction | None = None
) -> dict[str, str]:
    """Parquet file metadata of every table: skeleton, video, fps, config digest.

    ``pace``: `VideoInfo.pace` of a video whose times are not real ones; then ``fps`` are frames in a real second, and
    ``video_fps`` those that the video plays.
    """
    rates = {"fps": facts["fps"]}
    if pace is not None:
        rates = {"fps": str(Fraction(facts["fps"]) / pace), VIDEO_FPS: facts["fps"]}
    return {
        "poseline": FORMAT_VERSION,
        "skeleton": skeleton.name,
        "keypoints": ",".join(skeleton.names),
        "video": written(Path(facts["path"]).name),
        "video_digest": facts["digest"],
        "width_px": str(facts["width_px"]),
        "height_px": str(facts["height_px"]),
        **rates,
        "config_digest": digest,
    }


def track_rows(motion: Motion, schema: pa.Schema) -> pa.Table:
    """A person's rows of tracks.parquet: keypoints as measured, in filled rows as interpolated."""
    seen = motion.state == MEASURED
    keypoints = np.where(seen[:, None, None], motion.raw_px, motion.keypoints_px)
    columns = [
        pa.array(np.full(len(motion), motion.person_id, np.int32)),
        pa.array(motion.frame),
        pa.array(motion.time_s),
        *([] if motion.video_time_s is None else [pa.array(motion.video_time_s)]),
        fixed(motion.box_px),
        pa.array(np.where(seen, motion.score, 0).astype(np.float32)),
        fixed(keypoints),
        fixed(motion.keypoint_score),
        pa.array(motion.state),
    ]
    return pa.table(columns, schema=schema)
