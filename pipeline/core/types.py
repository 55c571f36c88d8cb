"""The data types that move through the pipeline: arrays in parallel, units in the names, shapes checked.

T frames of a video, B frames of a batch, N observations (one person in one frame), K keypoints, L frames of one person.
Pixels have their origin at the top-left corner of the upright image, x right, y down, pixel centres at .5.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

# Provenance of one keypoint in one frame (`Motion.provenance`, `<joint>_state` in the tables).
MISSING, MEASURED, INTERPOLATED, SWAPPED = 0, 1, 2, 3
STATE_NAMES = {MISSING: "missing", MEASURED: "measured", INTERPOLATED: "interpolated", SWAPPED: "swapped"}
# What is known of an angle in one frame (`Motion.states`, `<angle>_state` in the tables): a place here is its code.
# The first two have a value, the others have none.
ANGLE_STATES = (
    "valid", "too_fast", "missing", "no_side", "out_of_plane", "foreshortened", "uncertain", "impossible",
)  # fmt: skip
VALID, TOO_FAST, NO_POINTS, NO_SIDE, OUT_OF_PLANE, FORESHORTENED, UNCERTAIN, IMPOSSIBLE = range(len(ANGLE_STATES))
SAME_RATE = 0.005  # frame rates that differ by a smaller share are the same, since containers round times


def _check(owner: object, name: str, array: np.ndarray, shape: tuple[int | None, ...], dtype: type) -> None:
    """Raise ValueError when an array is not of the wanted shape (None: any length) and dtype."""
    wanted = tuple("*" if n is None else n for n in shape)
    if array.ndim != len(shape) or any(n is not None and n != m for n, m in zip(shape, array.shape, strict=True)):
        raise ValueError(f"{type(owner).__name__}.{name} must have shape {wanted}, got {array.shape}")
    if array.dtype != dtype:
        raise ValueError(f"{type(owner).__name__}.{name} must be {np.dtype(dtype)}, got {array.dtype}")


@dataclass(frozen=True, repr=False)
class _Arrays:
    """Shared repr: field names with shapes instead of values."""

    def __repr__(self) -> str:
        parts = []
        for f in fields(self):
            value = getattr(self, f.name)
            parts.append(f"{f.name}={value.shape if isinstance(value, np.ndarray) else value!r}")
        return f"{type(self).__name__}({', '.join(parts)})"


@dataclass(frozen=True, repr=False)
class SeenPackets(_Arrays):
    """Where the T frames of a video come from that was indexed by decoding: the packet that each begins in."""

    packet: np.ndarray  # (T,) i64 its number in the file's order, -1 where the decoder does not tell
    pos: np.ndarray  # (T,) i64 its place in the file in bytes, -1 unknown
    size: np.ndarray  # (T,) i64 its bytes
    stamp: np.ndarray  # (T,) i64 its time as the demuxer has it, ticks; the smallest number where it has none

    def __post_init__(self) -> None:
        n = len(self.packet)
        for name in ("packet", "pos", "size", "stamp"):
            _check(self, name, getattr(self, name), (n,), np.int64)


@dataclass(frozen=True, repr=False)
class VideoInfo(_Arrays):
    """What is known about a video without decoding it. Frame i of the video is row i of ``pts``."""

    path: Path
    size_px: tuple[int, int]  # (w, h), upright, of square pixels
    rotation_deg: int  # clockwise turn that makes the stored picture upright: 0, 90, 180 or 270
    time_base: Fraction
    fps: Fraction  # average rate, for display and file headers; never used to compute a time
    pts: np.ndarray  # (T,) i64 ascending, in time_base units
    time_s: np.ndarray  # (T,) f64 = pts × time_base, seconds on the container's clock
    is_key: np.ndarray  # (T,) bool, frames that decoding may start from
    has_audio: bool
    digest: str  # hex digest of the content
    codec: str = ""
    pixel_format: str = ""
    kind: str = "file"  # file, images (a folder, or a file of several pages), or photo
    bits: int = 16  # of images of 16 bits, how many hold values
    warnings: tuple[str, ...] = ()  # for the user: what the container announces but does not hold
    recorded_fps: Fraction | None = None  # as the user said it; None: as the container has it
    pixel_aspect: Fraction = Fraction(1)  # width of a stored pixel by its height
    mirrored: bool = False  # the picture is mirrored left to right once it is turned
    timecode: str = ""  # of the first frame, hh:mm:ss:ff, as the camera wrote it
    created: str = ""  # ISO 8601, as the camera wrote it
    stream: int = -1  # number of the stream among the file's videos; -1: the one that FFmpeg would take
    # frame: a picture for each frame, of interlaced ones; all: of all frames; field: for each field; "": as stored
    deinterlace: str = ""
    hdr: str = ""  # hlg or pq: pictures are tone-mapped; "": they are SDR, or taken as such
    peak_nits: float = 0.0  # the brightest light of HDR in cd/m²
    seen: SeenPackets | None = None  # of a video indexed by decoding; None: ``pts`` are those of the packets
    zero_s: float | None = None  # time on the video's own clock at which real time is 0; None: none was chosen

    def __post_init__(self) -> None:
        n = len(self.pts)
        _check(self, "pts", self.pts, (n,), np.int64)
        _check(self, "time_s", self.time_s, (n,), np.float64)
        _check(self, "is_key", self.is_key, (n,), np.bool_)

    def recorded_at(self, fps: float | None, zero_s: float | None = None) -> VideoInfo:
        """The video with this many frames recorded in a second; None: as many as it plays.

        ``zero_s`` is the time on the video's own clock at which real time is 0; None: both begin alike.
        """
        rate = None if fps is None else Fraction(fps).limit_denominator(100_000)
        return replace(self, recorded_fps=rate, zero_s=zero_s)

    @property
    def own_clock(self) -> bool:
        """Whether real times are those of the video's own clock."""
        return self.recorded_fps is None and self.zero_s is None

    @property
    def pace(self) -> Fraction:
        """Seconds of the recording that one second of the video shows: 1/8 for 240 frames/s played at 30."""
        return Fraction(1) if self.recorded_fps is None else played_fps(self.time_s, self.fps) / self.recorded_fps

    @cached_property
    def real_s(self) -> np.ndarray:
        """(T,) f64 real seconds, 0 at ``zero_s``, else from the same first time as ``time_s``; or ``time_s`` itself."""
        if self.own_clock:
            return self.time_s
        start_s, real_s = self._origin
        return np.asarray(real_s + (self.time_s - start_s) * float(self.pace))

    @property
    def _origin(self) -> tuple[float, float]:
        """A time on the video's own clock and the same real time, s."""
        return (float(self.time_s[0]),) * 2 if self.zero_s is None else (self.zero_s, 0.0)

    def in_video_s(self, real_s: float) -> float:
        """The time on the video's own clock, s, of a real time, s."""
        if self.own_clock:
            return real_s
        start_s, at_start_s = self._origin
        return start_s + (real_s - at_start_s) / float(self.pace)

    def in_real_s(self, video_s: float) -> float:
        """The real time, s, of a time on the video's own clock, s."""
        if self.own_clock:
            return video_s
        start_s, at_start_s = self._origin
        return at_start_s + (video_s - start_s) * float(self.pace)

    def __len__(self) -> int:
        return len(self.pts)


def played_fps(time_s: np.ndarray, fps: Fraction) -> Fraction:
    """Frames that a video usually plays in a second: ``fps``, its mean, unless missing frames make that too low.

    The usual step is the mean of the steps between times (T,) that are within half of their median.
    """
    steps = np.diff(time_s)
    if not len(steps) or not (median := float(np.median(steps))) > 0:
        return fps
    near = steps[np.abs(steps - median) <= median / 2]
    if not len(near):  # of two steps far apart none is near their middle
        return fps
    usual = Fraction(1 / float(near.mean()))
    return fps if abs(usual / fps - 1) < SAME_RATE else usual.limit_denominator(100_000)


@dataclass(frozen=True, repr=False)
class Frames(_Arrays):
    """A batch of decoded, upright frames."""

    index: np.ndarray  # (B,) i64, rows of the pts table
    time_s: np.ndarray  # (B,) f64
    image: np.ndarray  # (B, H, W, 3) u8 RGB

    def __post_init__(self) -> None:
        b = len(self.index)
        _check(self, "index", self.index, (b,), np.int64)
        _check(self, "time_s", self.time_s, (b,), np.float64)
        _check(self, "image", self.image, (b, None, None, 3), np.uint8)

    def __len__(self) -> int:
        return len(self.index)


@dataclass(frozen=True, repr=False)
class Observations(_Arrays):
    """People seen in frames: one row per person and frame, sorted by frame."""

    frame: np.ndarray  # (N,) i64 ascending
    box_px: np.ndarray  # (N, 4) f32 x1 y1 x2 y2
    score: np.ndarray  # (N,) f32, 0…1
    keypoints_px: np.ndarray  # (N, K, 2) f32
    keypoint_score: np.ndarray  # (N, K) f32, 0…1
    skeleton: str = "coco17"
    appearance: np.ndarray | None = None  # (N, D) f16 see pipeline.observe.appearance, NaN = not seen

    def __post_init__(self) -> None:
        n, k = self.keypoint_score.shape if self.keypoint_score.ndim == 2 else (len(self.frame), None)
        _check(self, "frame", self.frame, (n,), np.int64)
        _check(self, "box_px", self.box_px, (n, 4), np.float32)
        _check(self, "score", self.score, (n,), np.float32)
        _check(self, "keypoints_px", self.keypoints_px, (n, k, 2), np.float32)
        _check(self, "keypoint_score", self.keypoint_score, (n, k), np.float32)
        if self.appearance is not None:
            _check(self, "appearance", self.appearance, (n, None), np.float16)
        if n > 1 and np.any(np.diff(self.frame) < 0):
            raise ValueError(f"{type(self).__name__}.frame must ascend")

    def __len__(self) -> int:
        return len(self.frame)

    @classmethod
    def empty(cls, n_keypoints: int, skeleton: str, appearance: int = 0) -> Observations:
        """No observations, with arrays of the right shapes."""
        return cls(
            frame=np.zeros(0, np.int64),
            box_px=np.zeros((0, 4), np.float32),
            score=np.zeros(0, np.float32),
            keypoints_px=np.zeros((0, n_keypoints, 2), np.float32),
            keypoint_score=np.zeros((0, n_keypoints), np.float32),
            skeleton=skeleton,
            appearance=np.zeros((0, appearance), np.float16) if appearance else None,
        )

    def take(self, rows: np.ndarray) -> Observations:
        """The given rows (indices or mask), in the given order, which must keep ``frame`` ascending."""
        values: dict[str, Any] = {f.name: getattr(self, f.name) for f in fields(self)}
        chosen: dict[str, Any] = {k: v[rows] if isinstance(v, np.ndarray) else v for k, v in values.items()}
        return type(self)(**chosen)

    @classmethod
    def concat(cls, parts: list[Observations]) -> Observations:
        """Rows of all parts after one another (at least one part, all with the same skeleton)."""
        first = parts[0]
        if any(p.skeleton != first.skeleton for p in parts):
            raise ValueError(f"cannot join observations of skeletons {sorted({p.skeleton for p in parts})}")
        values: dict[str, Any] = {
            f.name: np.concatenate([getattr(p, f.name) for p in parts]) if isinstance(v, np.ndarray) else v
            for f in fields(cls)
            for v in [getattr(first, f.name)]
        }
        return cls(**values)


@dataclass(frozen=True, repr=False)
class Motion(_Arrays):
    """One person over time: a row per frame where the person is measured or bridged over at most track.max_gap_s."""

    person_id: int
    frame: np.ndarray  # (L,) i64
    time_s: np.ndarray  # (L,) f64
    box_px: np.ndarray  # (L, 4) f32, NaN = missing
    score: np.ndarray  # (L,) f32, NaN in bridged rows
    state: np.ndarray  # (L,) u8 MEASURED, or INTERPOLATED where the person is bridged over a gap
    keypoints_px: np.ndarray  # (L, K, 2) f32 smoothed, NaN = missing
    keypoint_score: np.ndarray  # (L, K) f32
    keypoint_std_px: np.ndarray  # (L, K) f32 one standard deviation per axis
    provenance: np.ndarray  # (L, K) u8
    raw_px: np.ndarray  # (L, K, 2) f32 as measured
    skeleton: str = "coco17"
    video_time_s: np.ndarray | None = None  # (L,) f64 the video's own times, where time_s are others
    keypoints_m: np.ndarray | None = None  # (L, J, 3) f32 metres about the pelvis, NaN = missing
    world_m: np.ndarray | None = None  # (L, J, 3) f32 the same in the world, z up, the floor at 0
    keypoint_std_m: np.ndarray | None = None  # (L, J) f32 one standard deviation per axis
    about_std_m: np.ndarray | None = None  # (L, J) f32 the same of the joints about the hips, without the body's place
    names_m: tuple[str, ...] = ()  # (J,) joints of keypoints_m
    keypoint_jitter_px: np.ndarray | None = None  # (L, K) f32 the part of keypoint_std_px that changes between frames
    velocity_px_s: np.ndarray | None = None  # (L, K, 2) f32, NaN where the position is
    acceleration_px_s2: np.ndarray | None = None  # (L, K, 2) f32
    quantities: Mapping[str, np.ndarray] = field(default_factory=dict)  # column, its unit in the name: (L,) f32
    states: dict[str, np.ndarray] = field(default_factory=dict)  # <angle>_state: (L,) u8 codes of ANGLE_STATES
    figures: dict[str, float] = field(default_factory=dict)  # 3D figures of the person, for people.csv
    facts: dict[str, str] = field(default_factory=dict)  # about the person, for the Parquet file metadata
    doubts: tuple[tuple[float, str], ...] = ()  # (real s, reason) where measurements were put aside as not their own
    aside_share: np.ndarray | None = None  # (K,) f32 of the rows in which the point's measurement was put aside

    def __post_init__(self) -> None:
        n, k = self.provenance.shape
        _check(self, "frame", self.frame, (n,), np.int64)
        _check(self, "time_s", self.time_s, (n,), np.float64)
        _check(self, "box_px", self.box_px, (n, 4), np.float32)
        _check(self, "score", self.score, (n,), np.float32)
        _check(self, "state", self.state, (n,), np.uint8)
        _check(self, "keypoints_px", self.keypoints_px, (n, k, 2), np.float32)
        _check(self, "keypoint_score", self.keypoint_score, (n, k), np.float32)
        _check(self, "keypoint_std_px", self.keypoint_std_px, (n, k), np.float32)
        _check(self, "provenance", self.provenance, (n, k), np.uint8)
        _check(self, "raw_px", self.raw_px, (n, k, 2), np.float32)
        if self.video_time_s is not None:
            _check(self, "video_time_s", self.video_time_s, (n,), np.float64)
        for name in ("velocity_px_s", "acceleration_px_s2"):
            if getattr(self, name) is not None:
                _check(self, name, getattr(self, name), (n, k, 2), np.float32)
        for name, values in self.quantities.items():
            _check(self, name, values, (n,), np.float32)
        for name, values in self.states.items():
            _check(self, name, values, (n,), np.uint8)
        if self.keypoints_m is not None:
            _check(self, "keypoints_m", self.keypoints_m, (n, len(self.names_m), 3), np.float32)
        if self.world_m is not None:
            _check(self, "world_m", self.world_m, (n, len(self.names_m), 3), np.float32)
        if self.keypoint_std_m is not None:
            _check(self, "keypoint_std_m", self.keypoint_std_m, (n, len(self.names_m)), np.float32)
        if self.keypoint_jitter_px is not None:
            _check(self, "keypoint_jitter_px", self.keypoint_jitter_px, (n, k), np.float32)
        if self.about_std_m is not None:
            _check(self, "about_std_m", self.about_std_m, (n, len(self.names_m)), np.float32)

    def __len__(self) -> int:
        return len(self.frame)

    def jitter_px(self) -> np.ndarray:
        """(L, K) f32 standard deviation of what changes between frames; the whole one where no more is known."""
        return self.keypoint_std_px if self.keypoint_jitter_px is None else self.keypoint_jitter_px
