"""The shots of a run: from the small pictures of its frames, or as the user says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from pipeline.core.errors import PoselineError
from pipeline.core.settings import TrackConfig
from pipeline.core.shots import Shots, one_shot
from pipeline.observe.thumbs import stored_thumbs
from pipeline.observe.transitions import Change, changes, difference, same_edges
from pipeline.store.parts import part_thumbs

BLOCK = 2048  # pictures that are looked at together
AROUND_S = 4.0  # seconds of the pictures before and behind that are looked at with them
SAME_CAMERA = 0.7  # correlation of edges from which two shots have one background
SAME_COLOURS = 30.0  # mean difference of their colours, at most
LOOKS = 9  # pictures of a shot whose median is its background


def shots_of_run(parts: Sequence[Path], time_s: np.ndarray, frames: tuple[int, int], config: TrackConfig) -> Shots:
    """The shots in the observed ``frames`` [first, last), found or told by the settings, with their cameras.

    Raises:
        PoselineError: no such shots are in the video.
    """
    if config.told_shots and config.shots == "off":
        raise PoselineError(
            "--shots FILE and track.shots=off contradict each other; --set track.shots=auto takes the file"
        )
    if config.told_shots:
        return with_cameras(_as_told(config.told_shots, time_s, frames), parts)
    return one_shot(frames) if config.shots == "off" else with_cameras(found_shots(parts, time_s, frames), parts)


def _as_told(told: Sequence[tuple[float, int]], time_s: np.ndarray, frames: tuple[int, int]) -> Shots:
    first, cameras = [frames[0]], [0]
    for start_s, camera in told:
        if not time_s[0] - 1 <= start_s <= time_s[-1] + 1:
            raise PoselineError(
                f"--shots: a shot at {start_s:g} s, but the video lasts from {time_s[0]:g} to {time_s[-1]:g} s;"
                " correct its start_s, or leave its row out"
            )
        frame = int(np.abs(time_s - start_s).argmin())
        if first[0] < frame < frames[1] and frame != first[-1]:
            first.append(frame)
            cameras.append(camera)
        elif frame <= first[0]:
            cameras[0] = camera
    kinds = ("start", *["told"] * (len(first) - 1))
    # −2 − n is the user's camera n, −1 one to be found out
    own = np.array([-2 - camera if camera else -1 for camera in cameras], np.int64)
    return Shots(np.array(first, np.int64), frames[1], own, kinds, np.zeros(len(first), np.int64))


def found_shots(parts: Iterable[Path], time_s: np.ndarray, frames: tuple[int, int]) -> Shots:
    """The shots in the observed ``frames`` [first, last) of a video, whose frames are shown at ``time_s`` (T,).

    Parts of earlier versions hold no pictures: no change is found in them.
    """
    found: list[tuple[int, Change]] = []
    for frame, pictures, own in _blocks(parts, time_s):
        made = changes(pictures, time_s[frame])
        found += [(int(frame[each.at]), each) for each in made if own.start <= each.at < own.stop]
    at = [frames[0], *(frame for frame, _ in found)]
    blend = np.array([0, *(each.rows for _, each in found)], np.int64)
    return Shots(
        np.array(at, np.int64),
        frames[1],
        np.full(len(at), -1, np.int64),
        ("start", *(each.kind for _, each in found)),
        blend,
    )


def with_cameras(shots: Shots, parts: Iterable[Path]) -> Shots:
    """The shots with one number for all that show the same background, where that stands still.

    A camera below −1 is told by the user: shots with that number have one camera, and no others.
    """
    if len(shots) < 2:
        return replace(shots, camera=np.zeros(len(shots), np.int64))
    looks, told = _backgrounds(shots, parts), shots.camera
    camera = np.full(len(shots), -1, np.int64)
    for i in range(len(shots)):
        for j in range(i):
            if told[i] == told[j] if min(told[i], told[j]) < -1 else _alike(looks[i], looks[j]):
                camera[i] = camera[j]
                break
        if camera[i] < 0:
            camera[i] = camera.max() + 1
    return replace(shots, camera=camera)


def _alike(one: np.ndarray | None, other: np.ndarray | None) -> bool:
    """Whether two backgrounds are one."""
    if one is None or other is None or one.shape != other.shape:
        return False
    return same_edges(one, other, 0) >= SAME_CAMERA and float(difference(one, other)) < SAME_COLOURS


def _backgrounds(shots: Shots, parts: Iterable[Path]) -> list[np.ndarray | None]:
    """(h, w, 3) f32 the median of some pictures of each shot; None where the picture moves or is not known."""
    wanted: dict[int, int] = {}
    for i, (first, stop) in enumerate(shots.spans()):
        low = first + int(shots.blend[i]) // 2
        high = stop - (int(shots.blend[i + 1]) // 2 if i + 1 < len(shots) else 0)
        for frame in np.unique(np.linspace(low, max(high - 1, low), LOOKS).astype(int)).tolist():
            wanted[frame] = i
    of: list[list[np.ndarray]] = [[] for _ in range(len(shots))]
    for path in parts:
        frame, pictures = stored_thumbs(part_thumbs(path))
        for row in np.flatnonzero(np.isin(frame, list(wanted))).tolist():
            of[wanted[int(frame[row])]].append(pictures[row].astype(np.float32))
    return [_still(looks) for looks in of]


def _still(looks: list[np.ndarray]) -> np.ndarray | None:
    if not looks or any(look.shape != looks[0].shape for look in looks):
        return None
    median = np.median(np.stack(looks), axis=0)
    alike = [same_edges(look, median, 0) for look in looks]
    return median if float(np.median(alike)) >= SAME_CAMERA else None


def _blocks(parts: Iterable[Path], time_s: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray, slice]]:
    """Frames (n,), their pictures (n, h, w, 3), and which of the rows are new: the others are seen twice.

    Memory holds a block and what lies around it, and no more of a long video.
    """
    frames, pictures, own = np.zeros(0, np.int64), np.zeros((0, 1, 1, 3), np.uint8), 0
    for path in parts:
        frame, picture = stored_thumbs(part_thumbs(path))
        if not len(frame):
            continue
        if len(frames) and picture.shape[1:] != pictures.shape[1:]:
            yield frames, pictures, slice(own, len(frames))
            frames, pictures, own = frames[:0], picture[:0], 0
        frames = np.concatenate([frames, frame]) if len(frames) else frame
        pictures = np.concatenate([pictures, picture]) if len(pictures) else picture
        ready = int(np.searchsorted(time_s[frames], time_s[frames[-1]] - AROUND_S))
        if ready - own >= BLOCK:
            yield frames, pictures, slice(own, ready)
            keep = int(np.searchsorted(time_s[frames], time_s[frames[ready]] - AROUND_S))
            frames, pictures, own = frames[keep:], pictures[keep:], ready - keep
    if len(frames):
        yield frames, pictures, slice(own, len(frames))
