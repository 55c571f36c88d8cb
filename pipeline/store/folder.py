"""The run folder: Arrow schemas, atomic writes, observation parts, the tracks table and the manifest.

A file that is there is whole: everything is written to a temporary name, fsynced and renamed.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.core.errors import PoselineError
from pipeline.core.skeleton import Skeleton
from pipeline.core.types import STATE_NAMES, Observations, VideoInfo
from pipeline.observe.camera import joined

FORMAT_VERSION = "1"
OBSERVED_VERSION = "2"  # of what is observed: observations of another are made again
CHECKED_PAGES = {"write_page_checksum": True}  # so that any reader of Parquet can tell a page that was damaged
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


def remove_leftovers(folder: Path, alone: bool = False) -> None:
    """Delete the temporary files of runs that were killed.

    The video of a live segment stays (``.live.mp4``): of a killed one it is all there is, and `pipeline.live` takes it.
    Where nobody else can be at work in the folder (``alone``) that is all of them: a number may be another process's by
    now. Else those of processes that are alive stay.
    """
    for path in [*folder.rglob(".*.tmp"), *folder.rglob(".*.partial")]:
        owner = path.name.split(".")[-2]
        if owner.isdigit() and not path.name.startswith(".live.") and (alone or not _alive(int(owner))):
            path.unlink(missing_ok=True)
    for path in folder.glob(".motions-*") if alone else ():
        shutil.rmtree(path, ignore_errors=True)


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
    """Write a small text file atomically.

    Bytes of file names that are no UTF-8 become ``\\udcXX``, which JSON reads back as they were.
    """
    with atomic(path) as temporary:
        temporary.write_bytes(text.encode("utf-8", "backslashreplace"))


def _write_table(path: Path, table: pa.Table, metadata: dict[str, str]) -> None:
    """Write a table with metadata, and a checksum of both."""
    metadata = {**metadata, "checksum": _checksum(table, metadata)}
    with atomic(path) as temporary:
        pq.write_table(table.replace_schema_metadata(metadata), temporary, compression="zstd", **CHECKED_PAGES)


def _read_table(path: Path) -> pa.Table:
    """A table that `_write_table` wrote; ValueError where it is not what was written. Old ones have no checksum."""
    table = pq.read_table(path, page_checksum_verification=True)
    metadata = {k.decode(): v.decode() for k, v in (table.schema.metadata or {}).items()}
    told = metadata.pop("checksum", None)
    if told is not None and told != _checksum(table, metadata):
        raise ValueError("its checksum is not that of its content")
    return table


def _checksum(table: pa.Table, metadata: dict[str, str]) -> str:
    """Hex digest of names, types, values and metadata, whatever the file looks like."""
    total = hashlib.blake2b(json.dumps(metadata, sort_keys=True).encode("utf-8", "backslashreplace"), digest_size=16)
    for name, column in zip(table.column_names, table.columns, strict=True):
        rows, flat = len(column), column.combine_chunks()
        if pa.types.is_fixed_size_list(flat.type):
            flat = flat.flatten()
        total.update(f"{name} {flat.type} {rows} {len(flat)}\n".encode())
        total.update(np.ascontiguousarray(flat.to_numpy(zero_copy_only=False)).tobytes())
    return total.hexdigest()


class TableFile:
    """A table of a run that is read row group by row group, its pages checked; a context manager.

    PoselineError, whatever is read, where the file is missing or damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: pq.ParquetFile = self._said(
            lambda: pq.ParquetFile(path, pre_buffer=False, page_checksum_verification=True)
        )
        self.schema: pa.Schema = self._said(lambda: self._file.schema_arrow)
        self.row_groups: int = self._file.num_row_groups
        self.rows: int = self._file.metadata.num_rows

    def read(self, group: int, columns: list[str] | None = None) -> pa.Table:
        """The rows of one group."""
        return self._said(lambda: self._file.read_row_group(group, columns=columns))

    def whole(self, columns: list[str] | None = None) -> pa.Table:
        """All rows."""
        return self._said(lambda: self._file.read(columns=columns))

    def span(self) -> tuple[Any, Any]:
        """First and last value of the first column, which rises, from the footer."""
        return self._said(
            lambda: (
                self._file.metadata.row_group(0).column(0).statistics.min,
                self._file.metadata.row_group(self.row_groups - 1).column(0).statistics.max,
            )
        )

    def _said(self, read: Callable[[], Any]) -> Any:
        try:
            return read()
        except (OSError, pa.ArrowException, KeyError, AttributeError, ValueError) as error:
            run = self.path.parent.parent if self.path.parent.name == "people" else self.path.parent
            raise PoselineError(f"{self.path}: missing or damaged; poseline track {run} makes it again") from error

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


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
        """run.json as a dict; empty when there is none, PoselineError when it cannot be read or is damaged."""
        if not self.manifest_file.is_file():
            return {}
        try:
            manifest = json.loads(self.manifest_file.read_text(encoding="utf-8"))
            if not isinstance(manifest, dict):
                raise ValueError("not a JSON object")
            told = manifest.pop("checksum", None)  # old runs have none
            if told is not None and told != _checksum_of(manifest):
                raise ValueError("its checksum is not that of its content")
            _check_manifest(manifest)
            return manifest
        except (OSError, ValueError, KeyError, TypeError, ArithmeticError, RecursionError) as error:
            why = f"{type(error).__name__} {error}" if isinstance(error, KeyError) else str(error)
            raise PoselineError(f"{self.manifest_file}: damaged ({why}); poseline run on the video mends it") from error

    def facts(self) -> dict[str, Any]:
        """run.json of a run that has begun; PoselineError where it is gone, or says nothing of a video."""
        manifest = self.manifest()
        if "video" not in manifest:
            raise PoselineError(f"{self.manifest_file}: gone, or says nothing of a video; run poseline run on it again")
        return manifest

    def write_manifest(self, manifest: dict[str, Any]) -> None:
        """Write run.json."""
        manifest = {**manifest, "checksum": _checksum_of(manifest)}
        write_text(self.manifest_file, json.dumps(manifest, indent=2, ensure_ascii=False) + "\n")


def _checksum_of(manifest: dict[str, Any]) -> str:
    """Hex digest of all that run.json says but the video's path, which a user may put right when the video moves."""
    told = {**manifest, "video": {**manifest.get("video", {}), "path": ""}}
    text = json.dumps(told, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def _check_manifest(manifest: dict[str, Any]) -> None:
    """Raise ValueError, KeyError or TypeError for what is no run.json; what can be done without is filled in."""
    if "video" not in manifest:
        return
    facts = manifest["video"]
    for name in ("path", "digest", "kind", "fps", "time_base", "codec", "pixel_format"):
        if not isinstance(facts[name], str):
            raise ValueError(f"video.{name} is no text")
    sizes = [facts[name] for name in ("width_px", "height_px", "frames")]
    if not all(type(n) is int and n >= 0 for n in sizes) or facts["rotation_deg"] not in (0, 90, 180, 270):
        raise ValueError("video has no size")
    if Fraction(facts["fps"]) <= 0 or Fraction(facts["time_base"]) <= 0:
        raise ValueError("video has no rate")
    for name in ("observe_digest", "config_digest"):
        manifest.setdefault(name, "")
    low, high = manifest.setdefault("frames_observed", [0, facts["frames"]])
    if not (type(low) is int and type(high) is int and 0 <= low <= high <= facts["frames"]):
        raise ValueError(f"frames_observed = {low!r}, {high!r} are no frames of the video")


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
    )
    _write_table(folder.observations / "index.parquet", table, {"video_digest": info.digest})


def read_index(folder: RunFolder) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """pts (T,) i64, time_s (T,) f64 and is_key (T,) bool of the run's video."""
    path = folder.observations / "index.parquet"
    try:
        table = _read_table(path)
        return table["pts"].to_numpy(), table["time_s"].to_numpy(), table["is_key"].to_numpy()
    except (OSError, pa.ArrowException, KeyError, ValueError) as error:
        raise PoselineError(f"{path}: missing or damaged; run poseline run on the video again") from error


def indexed_digest(folder: RunFolder) -> str:
    """The digest of the video that the folder's index is of; empty where there is none that can be read."""
    try:
        meta = pq.read_schema(folder.observations / "index.parquet").metadata or {}
        return meta.get(b"video_digest", b"").decode()
    except (OSError, pa.ArrowException, ValueError):
        return ""


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
    facts = folder.facts()["video"]
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
    return info


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

    ``camera`` is what `pipeline.observe.camera.Camera` stores of these frames.
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
    }
    _write_table(path, pa.table(columns), metadata)


def part_digest(path: Path) -> str:
    """Stands for the settings that a part was made under; empty where it cannot be read."""
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
    """PoselineError unless the parts are this run's and cover its frames; ``content``: and none is damaged."""
    manifest = folder.facts()
    (at, end), digest = manifest["frames_observed"], manifest["observe_digest"]
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
    """What the decoder had to say while the part was made."""
    return json.loads((pq.read_schema(path).metadata or {}).get(b"warnings", b"[]"))


def part_frames(path: Path) -> tuple[int, int]:
    """The frames [first, last) of a part."""
    first, last = json.loads((pq.read_schema(path).metadata or {})[b"frames"])
    return int(first), int(last)


def sightings(path: Path) -> int:
    """How many people one part holds, over all of its frames."""
    return int(pq.read_metadata(path).num_rows)


def read_part(path: Path) -> Observations:
    """The observations of one part; PoselineError when it is damaged."""
    try:
        table = _read_table(path)
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


def camera_motions(parts: list[Path], frames: int) -> np.ndarray:
    """(T, 4) motion of the camera into each frame, as `pipeline.observe.camera` has it, from the parts of a run."""
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
        "video": Path(facts["path"]).name.encode("utf-8", "backslashreplace").decode(),
        "video_digest": facts["digest"],
        "width_px": str(facts["width_px"]),
        "height_px": str(facts["height_px"]),
        "fps": facts["fps"],
        "config_digest": digest,
    }
