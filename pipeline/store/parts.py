"""Observation parts: each file holds the people seen in one chunk of consecutive frames."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.core.errors import PoselineError
from pipeline.core.types import Observations
from pipeline.store.checked import read_table, write_table
from pipeline.store.folder import RunFolder
from pipeline.store.manifest import FORMAT_VERSION

KEEPS_FAINT = "faint"  # the key of what `pipeline.observe.faint.Faint` stores


def fixed(values: np.ndarray, kind: type = np.float32) -> pa.Array:
    """(N, …) as a fixed-size list column of ``kind``."""
    size = int(np.prod(values.shape[1:]))
    flat = pa.array(np.ascontiguousarray(values, kind).reshape(-1))
    return pa.FixedSizeListArray.from_arrays(flat, size)


def _unfixed(column: pa.ChunkedArray, shape: tuple[int, ...], kind: type = np.float32) -> np.ndarray:
    return column.combine_chunks().flatten().to_numpy(zero_copy_only=False).reshape(-1, *shape).astype(kind)


def write_part(
    path: Path,
    obs: Observations,
    frames: tuple[int, int],
    digest: str,
    warnings: list[str],
    camera: str = "",
    faint: str = "",
    thumbs: str = "",
    activity: str = "",
    tiles: str = "",
) -> None:
    """One observation part: the people of frames [first, last), made under the settings with this ``digest``.

    ``camera``, ``faint``, ``thumbs``, ``activity`` and ``tiles`` are what `pipeline.observe.camera.CameraMotion`,
    `pipeline.observe.faint.Faint`, `pipeline.observe.thumbs.Thumbs`, `pipeline.observe.activity.Activity` and
    `pipeline.observe.tiles.Tiles` store.
    """
    columns = {
        "frame": pa.array(obs.frame),
        "box_px": fixed(obs.box_px),
        "score": pa.array(obs.score),
        "keypoints_px": fixed(obs.keypoints_px),
        "keypoint_score": fixed(obs.keypoint_score),
    }
    if obs.appearance is not None:
        columns["appearance"] = fixed(obs.appearance, np.float16)
    metadata = {
        "poseline": FORMAT_VERSION,
        "skeleton": obs.skeleton,
        "frames": json.dumps(frames),
        "digest": digest,
        "warnings": json.dumps(warnings),
        "camera": camera,
        KEEPS_FAINT: faint,
        "thumbs": thumbs,
        "activity": activity,
    }
    write_table(path, pa.table(columns), metadata | ({"tiles": tiles} if tiles else {}))


def part_digest(path: Path) -> str:
    """The digest of the settings that a part was made under; empty where the part cannot be read."""
    try:
        return (pq.read_schema(path).metadata or {}).get(b"digest", b"").decode()
    except (OSError, pa.ArrowException, ValueError):
        return ""


def part_is_whole(path: Path, frames: tuple[int, int], digest: str) -> bool:
    """Whether the file holds exactly these frames, made under these settings, as they were written."""
    if part_digest(path) != digest:
        return False
    try:
        read_part(path)
        return (pq.read_schema(path).metadata or {}).get(b"frames") == json.dumps(frames).encode()
    except PoselineError:
        return False


def check_parts(folder: RunFolder, content: bool = False) -> None:
    """PoselineError unless the parts belong to this run and cover its frames; ``content``: also if one is damaged."""
    manifest = folder.begun()
    (at, end), digest = manifest.frames, manifest.told["observe_digest"]
    for path in folder.parts():
        try:
            meta = pq.read_schema(path).metadata or {}
            low, high = json.loads(meta[b"frames"])
            ours = low == at and high > low and meta[b"digest"].decode() == digest
        except (OSError, pa.ArrowException, KeyError, ValueError, TypeError):
            ours = False
        if not ours:
            raise PoselineError(f"{path}: damaged, or not of this run; poseline run on the video makes it again")
        if content:
            read_part(path)
        at = high
    if at != end:
        raise PoselineError(
            f"{folder.observations}: lacks the frames {at} to {end - 1}; poseline run on the video goes on"
        )


def part_warnings(path: Path) -> list[str]:
    """The decoder's warnings from the time when the part was made."""
    return json.loads((pq.read_schema(path).metadata or {}).get(b"warnings", b"[]"))


def part_frames(path: Path) -> tuple[int, int]:
    """The frames [first, last) of a part."""
    first, last = json.loads((pq.read_schema(path).metadata or {})[b"frames"])
    return int(first), int(last)


def part_camera(path: Path) -> tuple[int, str]:
    """The first frame of a part, and what `pipeline.observe.camera.CameraMotion` stored of its frames."""
    meta = pq.read_schema(path).metadata or {}
    return int(json.loads(meta[b"frames"])[0]), meta.get(b"camera", b"").decode()


def part_faint(path: Path) -> str:
    """What `pipeline.observe.faint.Faint` stored of the frames of a part; empty in parts of earlier versions."""
    return (pq.read_schema(path).metadata or {}).get(KEEPS_FAINT.encode(), b"").decode()


def part_thumbs(path: Path) -> str:
    """What `pipeline.observe.thumbs.Thumbs` stored of the frames of a part; empty in parts of earlier versions."""
    return (pq.read_schema(path).metadata or {}).get(b"thumbs", b"").decode()


def part_activity(path: Path) -> str:
    """What `pipeline.observe.activity.Activity` stored of a part; empty in parts of earlier versions."""
    return (pq.read_schema(path).metadata or {}).get(b"activity", b"").decode()


def part_tiles(path: Path) -> str:
    """What `pipeline.observe.tiles.Tiles` stored of a part; empty where the picture was not looked at in tiles."""
    return (pq.read_schema(path).metadata or {}).get(b"tiles", b"").decode()


def keeps_faint(path: Path) -> bool:
    """Whether the part stores faint detections (`pipeline.observe.faint`); parts of earlier versions do not."""
    return KEEPS_FAINT.encode() in (pq.read_schema(path).metadata or {})


def sightings(path: Path) -> int:
    """How many people one part holds, over all of its frames."""
    return int(pq.read_metadata(path).num_rows)


def read_part(path: Path) -> Observations:
    """The observations of one part; PoselineError when it is damaged."""
    try:
        table = read_table(path)
        k = table.schema.field("keypoint_score").type.list_size
        return Observations(
            frame=table["frame"].to_numpy(),
            box_px=_unfixed(table["box_px"], (4,)),
            score=table["score"].to_numpy(),
            keypoints_px=_unfixed(table["keypoints_px"], (k, 2)),
            keypoint_score=_unfixed(table["keypoint_score"], (k,)),
            skeleton=table.schema.metadata[b"skeleton"].decode(),
            appearance=_appearance(table),
        )
    except (OSError, pa.ArrowException, AttributeError, KeyError, TypeError, ValueError) as error:
        raise PoselineError(f"{path}: damaged observations; run poseline run on the video again") from error


def _appearance(table: pa.Table) -> np.ndarray | None:
    if "appearance" not in table.column_names:
        return None
    return _unfixed(table["appearance"], (table.schema.field("appearance").type.list_size,), np.float16)
