"""One tracker on prepared observations, in one thread: `bench_track_worker.py NAME INPUT.npz OUTPUT.npz`.

Writes the id that each observation got (N,), −1 for none, and the seconds that the updates alone took.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

FPS = 25.0  # where the input says no other
Frames = list[dict[str, np.ndarray]]
Result = tuple[list[np.ndarray], float]  # ids of each frame's observations, seconds


def main(name: str, source: str, target: str) -> None:
    """Run the tracker and write what it says."""
    global FPS
    with np.load(source) as stored:
        data = dict(stored)
    FPS = float(data.get("fps", FPS))
    edges = np.searchsorted(data["frame"], np.arange(int(data["frames"]) + 1))
    keys = ("box", "score", "points", "point_score")
    frames = [{k: data[k][a:b] for k in keys} for a, b in pairwise(edges.tolist())]
    TRACKERS[name](frames[:5], tuple(data["size"].tolist()))  # what is made at the first call is not counted
    ids, seconds = TRACKERS[name](frames, tuple(data["size"].tolist()))
    np.savez(target, ids=np.concatenate(ids), seconds=seconds)


def timed(frames: Frames, prepare: Callable[[dict], Any], update: Callable[[int, Any], Any]) -> tuple[list, float]:
    """What ``update`` says of each frame, and the seconds it took; ``prepare`` is not counted."""
    prepared = [prepare(frame) for frame in frames]
    start = time.perf_counter()
    said = [update(i, frame) for i, frame in enumerate(prepared)]
    return said, time.perf_counter() - start


def poseline(frames: Frames, size: tuple[int, int]) -> Result:
    """Boxes and poses, default settings."""
    from pipeline.core.settings import TrackConfig
    from pipeline.core.skeleton import COCO17
    from pipeline.tracking.tracker import Tracker

    tracker = Tracker(TrackConfig(), COCO17, size)
    return timed(
        frames,
        lambda f: (f["box"], f["score"], f["points"], f["point_score"]),
        lambda i, f: tracker.update(i, i / FPS, *f),
    )


def boxmot_bytetrack(frames: Frames, size: tuple[int, int]) -> Result:
    """boxmot's ByteTrack, boxes."""
    from boxmot.trackers import ByteTrack

    return _boxmot(frames, size, ByteTrack(frame_rate=FPS))


def boxmot_ocsort(frames: Frames, size: tuple[int, int]) -> Result:
    """boxmot's OC-SORT, boxes."""
    from boxmot.trackers import OcSort

    return _boxmot(frames, size, OcSort())


def _boxmot(frames: Frames, size: tuple[int, int], tracker: Any) -> Result:
    image = np.zeros((size[1], size[0], 3), np.uint8)  # it asks for the picture, of which these use the size alone

    def prepare(f: dict) -> np.ndarray:
        return np.column_stack([f["box"], f["score"], np.zeros(len(f["box"]))]).astype(np.float32)

    said, seconds = timed(frames, prepare, lambda i, f: tracker.update(f, image))
    ids = []
    for frame, found in zip(frames, said, strict=True):
        own = np.full(len(frame["box"]), -1)
        if len(found):  # x1 y1 x2 y2 id score class row
            own[found[:, 7].astype(int)] = found[:, 4].astype(int)
        ids.append(own)
    return ids, seconds


def bytetrack(frames: Frames, size: tuple[int, int]) -> Result:
    """roboflow's trackers, ByteTrack, boxes."""
    import supervision
    from trackers import ByteTrackTracker

    tracker = ByteTrackTracker(frame_rate=FPS)
    return _roboflow(frames, tracker, supervision)


def sort(frames: Frames, size: tuple[int, int]) -> Result:
    """roboflow's trackers, SORT, boxes."""
    import supervision
    from trackers import SORTTracker

    return _roboflow(frames, SORTTracker(frame_rate=FPS), supervision)


def _roboflow(frames: Frames, tracker: Any, supervision: Any) -> Result:
    def prepare(f: dict) -> Any:
        return supervision.Detections(
            xyxy=f["box"],
            confidence=f["score"],
            class_id=np.zeros(len(f["box"]), int),
            data={"row": np.arange(len(f["box"]))},
        )

    said, seconds = timed(frames, prepare, lambda i, f: tracker.update(f))
    ids = []
    for frame, found in zip(frames, said, strict=True):
        own = np.full(len(frame["box"]), -1)
        own[found.data["row"]] = found.tracker_id if found.tracker_id is not None else -1
        ids.append(own)
    return ids, seconds


def motpy(frames: Frames, size: tuple[int, int]) -> Result:
    """motpy, boxes."""
    from motpy import Detection, MultiObjectTracker

    tracker = MultiObjectTracker(dt=1 / FPS)
    names: dict[str, int] = {}

    def prepare(f: dict) -> Any:
        return [Detection(box=b, score=s) for b, s in zip(f["box"].astype(float), f["score"].tolist(), strict=True)]

    said, seconds = timed(frames, prepare, lambda i, f: tracker.step(f))
    ids = []
    for frame, found in zip(frames, said, strict=True):
        own = np.full(len(frame["box"]), -1)
        for track in found:  # it tells boxes, not rows
            apart = np.abs(frame["box"] - track.box).max(1)
            if len(apart) and apart.min() < 30:
                own[apart.argmin()] = names.setdefault(track.id, len(names) + 1)
        ids.append(own)
    return ids, seconds


def norfair(frames: Frames, size: tuple[int, int]) -> Result:
    """norfair, keypoints by vote."""
    from norfair import Detection, Tracker
    from norfair.distances import create_keypoints_voting_distance

    distance = create_keypoints_voting_distance(keypoint_distance_threshold=40, detection_threshold=0.3)
    tracker = Tracker(distance_function=distance, distance_threshold=1 / 6, detection_threshold=0.3)

    def prepare(f: dict) -> Any:
        rows = range(len(f["box"]))
        return [Detection(points=f["points"][r].astype(float), scores=f["point_score"][r], data=r) for r in rows]

    ids = []

    def update(i: int, f: Any) -> None:
        own = np.full(len(f), -1)
        for track in tracker.update(detections=f):
            if track.last_detection in f:
                own[track.last_detection.data] = track.id
        ids.append(own)

    _, seconds = timed(frames, prepare, update)
    return ids, seconds


TRACKERS: dict[str, Callable[[Frames, tuple[int, int]], Result]] = {
    "poseline": poseline,
    "trackers ByteTrack": bytetrack,
    "trackers SORT": sort,
    "boxmot ByteTrack": boxmot_bytetrack,
    "boxmot OC-SORT": boxmot_ocsort,
    "motpy": motpy,
    "norfair": norfair,
}

if __name__ == "__main__":
    main(*sys.argv[1:])
