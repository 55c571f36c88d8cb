"""Small finished runs with known motion, for the tests of exports."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np

from pipeline.core.skeleton import COCO17, Skeleton
from pipeline.core.types import INTERPOLATED, MEASURED, MISSING, Motion, VideoInfo
from pipeline.measure.summary import person_summary
from pipeline.store.folder import RunFolder
from pipeline.store.index import write_index
from pipeline.store.manifest import Manifest, video_facts
from pipeline.store.people_csv import write_people_csv
from pipeline.store.person_table import write_person
from pipeline.store.tracks import file_metadata

FPS = Fraction(30000, 1001)
SCALE = {"px_per_m": "250.5", "px_per_m_from": "height 1.78 m"}


def times(frames: int, fps: Fraction = FPS, start_s: float = 0.5) -> np.ndarray:
    """Presentation times (T,) f64 of a constant rate."""
    return start_s + np.arange(frames) * float(1 / fps)


def person(
    person_id: int,
    frame: Sequence[int] | range | np.ndarray,
    time_s: np.ndarray,
    skeleton: Skeleton = COCO17,
    facts: dict[str, str] | None = None,
    quantities: Sequence[str] = (),
    metres: bool = False,
) -> Motion:
    """Somebody whose every joint moves on its own curve, and is missing in every seventh frame in turn."""
    frame = np.asarray(frame, np.int64)
    n, k = len(frame), len(skeleton)
    at, joint = time_s[frame][:, None], np.arange(k)
    place = np.stack([400 + 37 * joint + 90 * np.sin(2 * at + joint), 300 + 20 * joint + 40 * np.cos(3 * at)], -1)
    missing = (frame[:, None] + joint) % 7 == 0
    place = np.where(missing[..., None], np.nan, place).astype(np.float32)
    seen = frame % 5 != 4
    rng = np.random.default_rng(person_id)
    curves = [np.where(frame % 6 == 2, np.nan, rng.uniform(-90, 90, n)).astype(np.float32) for _ in quantities]
    return Motion(
        person_id=person_id,
        frame=frame,
        time_s=time_s[frame],
        box_px=np.tile(np.array([300, 200, 600, 900], np.float32), (n, 1)),
        score=np.where(seen, 0.75, np.nan).astype(np.float32),
        state=np.where(seen, MEASURED, INTERPOLATED).astype(np.uint8),
        keypoints_px=place,
        keypoint_score=np.where(seen[:, None], rng.uniform(0.3, 1, (n, k)), 0).astype(np.float32),
        keypoint_std_px=np.where(missing, np.nan, 2).astype(np.float32),
        provenance=np.where(missing, MISSING, MEASURED).astype(np.uint8),
        raw_px=place,
        skeleton=skeleton.name,
        keypoints_m=np.concatenate([place, place[..., :1] + 7], -1) / 250 if metres else None,
        names_m=skeleton.names if metres else (),
        quantities=dict(zip(quantities, curves, strict=True)),
        facts=SCALE if facts is None else facts,
    )


def video(time_s: np.ndarray, fps: Fraction, path: str = "a.mp4", size_px: tuple[int, int] = (64, 64)) -> VideoInfo:
    """A video whose frames have these times (T,)."""
    n = len(time_s)
    return VideoInfo(
        path=Path(path),
        size_px=size_px,
        rotation_deg=0,
        time_base=1 / fps,
        fps=fps,
        pts=np.arange(n),
        time_s=time_s,
        is_key=np.ones(n, bool),
        has_audio=False,
        digest="d",
    )


def make_run(
    path: Path,
    people: Sequence[Motion],
    time_s: np.ndarray,
    names: dict[int, str] | None = None,
    fps: Fraction = FPS,
    skeleton: Skeleton = COCO17,
    observed: tuple[int, int] | None = None,
) -> RunFolder:
    """A finished run of ``walk 1.mp4`` with these people in it."""
    n = len(time_s)
    info = video(time_s, fps, "clips/walk 1.mp4", (1280, 720))
    folder, facts = RunFolder(path), video_facts(info)
    manifest = {"finished": True, "video": facts, "keypoints": skeleton.spec(), "frames_observed": observed or (0, n)}
    folder.write_manifest(Manifest(manifest))
    write_index(folder, info)
    folder.tracks.touch()
    for motion in people:
        write_person(folder.people, motion, skeleton, file_metadata(skeleton, facts, "c"))
    rows = [person_summary(m, float(1 / fps), name=(names or {}).get(m.person_id, "")) for m in people]
    write_people_csv(folder.people_csv, rows)
    return folder
