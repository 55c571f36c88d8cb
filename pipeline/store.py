"""The run folder: Arrow schemas, atomic writes, observation parts, the tracks table and the manifest.

A file that is there is whole: everything is written to a temporary name, fsynced and renamed.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.camera import joined
from pipeline.errors import PoselineError
from pipeline.skeleton import Skeleton
from pipeline.types import STATE_NAMES, Observations, VideoInfo

FORMAT_VERSION = "1"
OBSERVED_VERSION = "2"  # of what is observed: observations of another are made again
STATES = ", ".join(f"{code} {name}" for code, name in STATE_NAMES.items())


# --- atomic writes ---------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """A temporary path to write to; it becomes ``path`` when the block ends well and is removed when it does not.

    OSErrors become a PoselineError that names the file and the remedy.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with open(temporary, "rb+") as handle:
            os.fsync(handle.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise write_error(path, error) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def remove_leftovers(folder: Path) -> None:
    """Delete the temporary files of runs that were killed; those of a run that is still alive stay."""
    for path in [*folder.rglob(".*.tmp"), *folder.rglob(".*.partial")]:
        owner = path.name.split(".")[-2]
        if owner.isdigit() and not _alive(int(owner)):
            path.unlink(missing_ok=True)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # another user's
    return True


def write_error(path: Path, error: OSError) -> PoselineError:
    """What a user is told when a file cannot be written."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT) or "No space left" in str(error):
        return PoselineError(f"{path}: the disk is full; free some space and run the same command again to go on")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return PoselineError(f"{path.parent}: may not be written to; choose another folder with --out")
    if error.errno in (errno.ENOTDIR, errno.EEXIST):
        return PoselineError(f"{path.parent}: is not a folder; choose another one with --out")
    return PoselineError(f"{path}: cannot be written ({error.strerror or error}); choose another folder with --out")


def write_text(path: Path, text: str) -> None:
    """Write a small text file atomically."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _write_table(path: Path, table: pa.Table) -> None:
    with atomic(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")


# --- the folder ------------------------------------------------------------------------------------------------------


class RunFolder:
    """Paths and the manifest of one run."""

    def __init__(self, path: Path | str):
        self.path = Path(path)
        self.manifest_file = self.path / "run.json"
        self.observations = self.path / "observations"
        self.tracks = self.path / "tracks.parquet"
        self.people = self.path / "people"
        self.people_csv = self.path / "people.csv"
        self.video = self.path / "annotated.mp4"
        self.report = self.path / "report.html"

    @classmethod
    def existing(cls, path: Path | str) -> RunFolder:
        """The folder of a run that was made before; PoselineError when it is none."""
        folder = cls(path)
        if not folder.manifest_file.is_file():
            raise PoselineError(f"{path}: is not a run folder (no run.json); make one with poseline run VIDEO")
        if folder.manifest().get("kind") == "live":
            raise PoselineError(f"{path}: is a live stream's folder; give one of its run folders in {path}/segments")
        return folder

    def part(self, number: int) -> Path:
        """The file of one observation part."""
        return self.observations / f"part-{number:05d}.parquet"

    def parts(self) -> list[Path]:
        """All observation parts, in order."""
        return sorted(self.observations.glob("part-*.parquet"))

    def manifest(self) -> dict[str, Any]:
        """run.json as a dict; empty when there is none, PoselineError when it cannot be read."""
        if not self.manifest_file.is_file():
            return {}
        try:
            manifest = json.loads(self.manifest_file.read_text(encoding="utf-8"))
            if not isinstance(manifest, dict):
                raise ValueError("not a JSON object")
            return manifest
        except (OSError, ValueError) as error:
            raise PoselineError(f"{self.manifest_file}: cannot be read ({error}); run again with --force") from error

    def write_manifest(self, manifest: dict[str, Any]) -> None:
        """Write run.json."""
        write_text(self.manifest_file, json.dumps(manifest, indent=2, ensure_ascii=False) + "\n")


# --- the frame index -------------------------------------------------------------------------------------------------


def write_index(folder: RunFolder, info: VideoInfo) -> None:
    """Keep the pts table beside the observations, so that later stages need not read the video for its times."""
    table = pa.table(
        {
            "frame": pa.array(np.arange(len(info))),
            "pts": pa.array(info.pts),
            "time_s": pa.array(info.time_s),
            "is_key": pa.array(info.is_key),
        },
    ).replace_schema_metadata({"video_digest": info.digest})
    _write_table(folder.observations / "index.parquet", table)


def read_index(folder: RunFolder) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """pts (T,) i64, time_s (T,) f64 and is_key (T,) bool of the run's video."""
    path = folder.observations / "index.parquet"
    try:
        table = pq.read_table(path)
        return table["pts"].to_numpy(), table["time_s"].to_numpy(), table["is_key"].to_numpy()
    except (OSError, pa.ArrowException, KeyError) as error:
        raise PoselineError(f"{path}: missing or damaged; run poseline run on the video again") from error


def video_facts(info: VideoInfo) -> dict[str, Any]:
    """What run.json says of the video."""
    return {
        "path": str(info.path),
        "digest": info.digest,
        "kind": info.kind,
        "width_px": info.size_px[0],
        "height_px": info.size_px[1],
        "rotation_deg": info.rotation_deg,
        "frames": len(info),
        "fps": str(info.fps),
        "time_base": str(info.time_base),
        "start_s": float(info.time_s[0]),
        "end_s": float(info.time_s[-1]),
        "codec": info.codec,
        "pixel_format": info.pixel_format,
        "has_audio": info.has_audio,
    }


def stored_video(folder: RunFolder) -> VideoInfo:
    """The VideoInfo a run was made with, from run.json and the index, without reading the video."""
    facts = folder.manifest()["video"]
    pts, time_s, is_key = read_index(folder)
    return VideoInfo(
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


# --- observations ----------------------------------------------------------------------------------------------------


def fixed(values: np.ndarray, kind: type = np.float32) -> pa.Array:
    """(N, …) as a fixed-size list column of ``kind``."""
    size = int(np.prod(values.shape[1:]))
    flat = pa.array(np.ascontiguousarray(values, kind).reshape(-1))
    return pa.FixedSizeListArray.from_arrays(flat, size)


def _unfixed(column: pa.ChunkedArray, shape: tuple[int, ...], kind: type = np.float32) -> np.ndarray:
    return column.combine_chunks().flatten().to_numpy(zero_copy_only=False).reshape(-1, *shape).astype(kind)


def write_part(
    path: Path, obs: Observations, frames: tuple[int, int], digest: str, warnings: list[str], camera: str = ""
) -> None:
    """One observation part: the people of frames [first, last), made under the settings that ``digest`` stands for.

    ``camera`` is what `pipeline.camera.Camera` stores of these frames.
    """
    columns = {
        "frame": pa.array(obs.frame),
        "box_px": fixed(obs.box_px),
        "score": pa.array(obs.score),
        "keypoints_px": fixed(obs.keypoints_px),
        "keypoint_score": fixed(obs.keypoint_score),
    }
    if obs.world_m is not None:
        columns["world_m"] = fixed(obs.world_m)
    if obs.appearance is not None:
        columns["appearance"] = fixed(obs.appearance, np.float16)
    metadata = {
        "poseline": FORMAT_VERSION,
        "skeleton": obs.skeleton,
        "frames": json.dumps(frames),
        "digest": digest,
        "warnings": json.dumps(warnings),
        "camera": camera,
    }
    _write_table(path, pa.table(columns).replace_schema_metadata(metadata))


def part_is_whole(path: Path, frames: tuple[int, int], digest: str) -> bool:
    """Whether the file holds exactly these frames, made under these settings."""
    try:
        meta = pq.read_schema(path).metadata or {}
    except (OSError, pa.ArrowException):
        return False
    return meta.get(b"digest") == digest.encode() and meta.get(b"frames") == json.dumps(frames).encode()


def part_warnings(path: Path) -> list[str]:
    """What the decoder had to say while the part was made."""
    return json.loads((pq.read_schema(path).metadata or {}).get(b"warnings", b"[]"))


def part_frames(path: Path) -> tuple[int, int]:
    """The frames [first, last) of a part."""
    first, last = json.loads((pq.read_schema(path).metadata or {})[b"frames"])
    return int(first), int(last)


def read_part(path: Path) -> Observations:
    """The observations of one part; PoselineError when it is damaged."""
    try:
        table = pq.read_table(path)
        k = table.schema.field("keypoint_score").type.list_size
        return Observations(
            frame=table["frame"].to_numpy(),
            box_px=_unfixed(table["box_px"], (4,)),
            score=table["score"].to_numpy(),
            keypoints_px=_unfixed(table["keypoints_px"], (k, 2)),
            keypoint_score=_unfixed(table["keypoint_score"], (k,)),
            skeleton=table.schema.metadata[b"skeleton"].decode(),
            world_m=_unfixed(table["world_m"], (k, 3)) if "world_m" in table.column_names else None,
            appearance=_appearance(table),
        )
    except (OSError, pa.ArrowException, AttributeError, KeyError, TypeError, ValueError) as error:
        raise PoselineError(f"{path}: damaged observations; run poseline run on the video again") from error


def _appearance(table: pa.Table) -> np.ndarray | None:
    if "appearance" not in table.column_names:
        return None
    return _unfixed(table["appearance"], (table.schema.field("appearance").type.list_size,), np.float16)


def camera_motions(parts: list[Path], frames: int) -> np.ndarray:
    """(T, 4) motion of the camera into each frame, as `pipeline.camera` has it, from the parts of a run."""
    stored = []
    for path in parts:
        meta = pq.read_schema(path).metadata or {}
        stored.append((int(json.loads(meta[b"frames"])[0]), meta.get(b"camera", b"").decode()))
    return joined(stored, frames)


# --- tracks ----------------------------------------------------------------------------------------------------------


def tracks_schema(skeleton: Skeleton, facts: dict[str, Any], digest: str) -> pa.Schema:
    """Schema of tracks.parquet, with units and the run's facts in the metadata."""
    k = len(skeleton)

    def column(name: str, kind: pa.DataType, unit: str, about: str) -> pa.Field:
        return pa.field(name, kind, nullable=False, metadata={"unit": unit, "description": about})

    return pa.schema(
        [
            column("person_id", pa.int32(), "1", "person, from 1 in order of appearance"),
            column("frame", pa.int64(), "1", "0-based row of the video's pts table"),
            column("time_s", pa.float64(), "s", "presentation time on the container's clock"),
            column("box_px", pa.list_(pa.float32(), 4), "px", "x1, y1, x2, y2"),
            column("score", pa.float32(), "1", "certainty, 0 in filled gaps"),
            column("keypoints_px", pa.list_(pa.float32(), 2 * k), "px", "x0, y0, x1, y1, … as measured, gaps filled"),
            column("keypoint_score", pa.list_(pa.float32(), k), "1", "certainty of each keypoint, 0 in filled gaps"),
            column("state", pa.uint8(), "1", STATES),
        ],
        metadata=file_metadata(skeleton, facts, digest),
    )


def file_metadata(skeleton: Skeleton, facts: dict[str, Any], digest: str) -> dict[str, str]:
    """Parquet file metadata of every table: skeleton, video, fps, config digest."""
    return {
        "poseline": FORMAT_VERSION,
        "skeleton": skeleton.name,
        "keypoints": ",".join(skeleton.names),
        "video": Path(facts["path"]).name,
        "video_digest": facts["digest"],
        "width_px": str(facts["width_px"]),
        "height_px": str(facts["height_px"]),
        "fps": facts["fps"],
        "config_digest": digest,
    }
