"""From streamed observations to people: the fold over all frames, then the offline pass over the whole file.

The fold keeps a tracklet and a frame per observation, a glimpse of each person per half second and the people present;
nothing else grows with the video.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from pipeline.core.homography import STILL, normed, stands
from pipeline.core.settings import TrackConfig
from pipeline.core.shots import Shots
from pipeline.core.skeleton import Skeleton
from pipeline.core.team_text import Told
from pipeline.core.types import Observations
from pipeline.core.words import counted
from pipeline.tracking.assemble import Assembled, Surplus, people_of
from pipeline.tracking.doubles import Doubles, single
from pipeline.tracking.glimpses import Collector
from pipeline.tracking.tracker import Tracker

_NAMED = 10  # people that a line names at most


def assign(
    parts: Iterable[Observations],
    time_s: np.ndarray,
    size_px: tuple[int, int],
    skeleton: Skeleton,
    config: TrackConfig,
    progress: Callable[[int], None] | None = None,
    frames: tuple[int, int] | None = None,
    camera: np.ndarray | None = None,
    shots: Shots | None = None,
) -> np.ndarray:
    """`identify`'s people alone: (N,) i32."""
    return identify(parts, time_s, size_px, skeleton, config, progress, frames, camera, shots).person


def identify(
    parts: Iterable[Observations],
    time_s: np.ndarray,
    size_px: tuple[int, int],
    skeleton: Skeleton,
    config: TrackConfig,
    progress: Callable[[int], None] | None = None,
    frames: tuple[int, int] | None = None,
    camera: np.ndarray | None = None,
    shots: Shots | None = None,
    teams: Sequence[Told] | None = None,
) -> Assembled:
    """Person of every observation of all ``parts`` in order, 1… by first appearance, −1 for nobody.

    A person's observations before confirmation are included. The observations of tracklets that are too doubtful or a
    second view of another tracklet, and of people seen too briefly, belong to nobody.

    Args:
        parts: observations of consecutive stretches of frames; a frame's observations are all in one part.
        time_s: (T,) time of each frame of the video.
        size_px: (w, h) of the upright frame.
        progress: called after each part with the number of its last frame + 1, where it has observations.
        frames: first frame and one past the last that were observed, if not all were.
        camera: (T, 3, 3) motion of the camera into each frame, see `pipeline.core.homography`.
        shots: no tracklet goes on from one to the next; None: all frames are one shot.
        teams: what the user tells of two teams, whose players never become one another; None: nobody asks for teams.

    Raises:
        ValueError: parts out of order, beyond the pts table, or of another skeleton.
    """
    config = _fit_to_length(config, time_s[slice(*frames)] if frames else time_s)
    camera = None if camera is None or not config.camera or stands(camera).all() else camera
    tracker = Tracker(config, skeleton, size_px)
    chosen = skeleton.tracked
    doubles = Doubles(config.duplicate_oks, np.array(skeleton.sigmas)[chosen])
    collector = Collector(time_s, size_px, camera, shots)
    columns, frame_of = [np.zeros(0, np.int32)], [np.zeros(0, np.int64)]
    before = frames[0] if frames else 0
    for part in parts:
        _check_part(part, time_s, skeleton)
        ids = np.full(len(part), -1, np.int32)
        for rows in _frames(part.frame):
            frame = int(part.frame[rows.start])
            box, kp, kp_score = part.box_px[rows], part.keypoints_px[rows], part.keypoint_score[rows]
            look = part.appearance[rows] if part.appearance is not None and config.appearance else None
            if shots is not None and shots.shot_of(frame) != shots.shot_of(before):
                tracker.leave()
            moved = _between(camera, before, frame)
            ids[rows] = tracker.update(frame, float(time_s[frame]), box, part.score[rows], kp, kp_score, look, moved)
            before = frame
            if rows.stop - rows.start > 1:
                doubles.add(ids[rows], box, kp[:, chosen], kp_score[:, chosen])
        collector.add(part if config.appearance else replace(part, appearance=None), ids)
        columns.append(ids)
        frame_of.append(part.frame)
        if progress is not None and len(part):
            progress(int(part.frame[-1]) + 1)
    glimpses = collector.glimpses()
    glimpses = glimpses.take(np.isin(glimpses.tracklet, single(tracker.tracklets(), doubles.frames, config)))
    return _with_heads(tracker, columns, frame_of, lambda t, f: people_of(glimpses, t, f, size_px, config, teams))


def _with_heads(
    tracker: Tracker,
    tracklets: list[np.ndarray],
    frames: list[np.ndarray],
    people: Callable[[np.ndarray, np.ndarray], Assembled],
) -> Assembled:
    """The ``people`` of all parts' observations with these tracklets and frames (N,), where a faint tracklet is the
    beginning of the one that goes on from it. No beginning counts in a frame in which the person has another
    observation."""
    tracklet, frame = np.concatenate(tracklets), np.concatenate(frames)
    if not tracker.heads:
        return people(tracklet, frame)
    known = tracker.tracklets()
    first = dict(zip(known.id.tolist(), known.first_frame.tolist(), strict=True))
    table = np.arange(int(tracklet.max()) + 2, dtype=tracklet.dtype)
    table[-1] = -1
    start = np.zeros(len(table), np.int64)
    for head, after in tracker.heads.items():
        if after in first:
            table[head], start[head] = after, first[after]
    whole = table[tracklet]
    found, early = people(whole, np.maximum(frame, start[tracklet])), whole != tracklet
    key = found.person.astype(np.int64) * (int(frame.max()) + 1) + frame
    return found._replace(person=np.where(early & np.isin(key, key[~early]), np.int32(-1), found.person))


def not_done(asked: int | None, people: Sequence[int], surplus: Sequence[Surplus]) -> list[str]:
    """Lines that say how the ``people`` (ids) differ from the number ``asked`` for, and who was left out for it."""
    if asked is None:
        return []
    lines, many = [], len(people)
    if surplus:
        spans = [f"{s.first_s:.2f} to {s.last_s:.2f} s ({counted(s.frames, 'frame')})" for s in surplus[:_NAMED]]
        more = f" and {len(surplus) - _NAMED} more" if len(surplus) > _NAMED else ""
        lines.append(
            f"--people {asked} left out who is seen beside {asked} clearer {'person' if asked == 1 else 'people'}:"
            f" {', '.join(spans)}{more}; a larger number keeps them"
        )
    if many > asked:
        named = ", ".join(map(str, people[:_NAMED])) + (" …" if many > _NAMED else "")
        lines.append(
            f"--people {asked}: {many} people are left ({named}), as nothing shows who of them are one;"
            " poseline people RUN --join A B … says so, --drop A leaves one out"
        )
    if many < asked:
        lines.append(f"--people {asked}: no more than {many} {'person was' if many == 1 else 'people were'} found")
    return lines


def _between(camera: np.ndarray | None, before: int, frame: int) -> np.ndarray | None:
    """The camera's motion from one frame to another, None where it is still."""
    if camera is None:
        return None
    total = STILL
    for motion in camera[before + 1 : frame + 1]:
        total = total if stands(motion) else motion @ total
    return None if total is STILL else normed(total)


def _frames(frame: np.ndarray) -> Iterator[slice]:
    """Slices of rows that share a frame, of ``frame (N,)`` ascending."""
    edges = np.append(np.flatnonzero(np.diff(frame, prepend=-1)), len(frame))
    for start, stop in pairwise(edges):
        yield slice(int(start), int(stop))


def _check_part(part: Observations, time_s: np.ndarray, skeleton: Skeleton) -> None:
    if part.skeleton != skeleton.name:
        raise ValueError(f"observations are of skeleton {part.skeleton}, tracking expects {skeleton.name}")
    if len(part) and not 0 <= part.frame[0] <= part.frame[-1] < len(time_s):
        raise ValueError(f"observations of frames {part.frame[0]}…{part.frame[-1]}, but the video has {len(time_s)}")


def _fit_to_length(config: TrackConfig, time_s: np.ndarray) -> TrackConfig:
    """Settings that a very short video can meet: nobody can be seen for longer than the video lasts."""
    span = float(time_s[-1] - time_s[0]) if len(time_s) else 0.0
    hits = min(config.confirm_hits, max(1, (len(time_s) + 1) // 2))
    return config.model_copy(update={"min_length_s": min(config.min_length_s, span / 2), "confirm_hits": hits})
