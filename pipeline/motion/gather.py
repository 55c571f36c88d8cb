"""The observations of one person after another, from parts in the order of time."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from pipeline.core.skeleton import Skeleton
from pipeline.core.types import Observations
from pipeline.motion.claims import claims, joined
from pipeline.motion.person import Person
from pipeline.store.parts import read_part, sightings

GROUP_ROWS = 10_000  # rows of the people whose motions are computed side by side
BEYOND = 0.03  # longer sides of the box, about half of a limb's breadth: chosen by us
GATHER_ROWS = 60_000  # observations gathered in memory at once, if no single person has more


def by_person(
    parts: Sequence[Path], ids: np.ndarray, skeleton: Skeleton, size_px: tuple[int, int]
) -> Iterator[Iterator[Person]]:
    """Groups of people in order of the ids: `GROUP_ROWS` rows a group, at least one person.

    A group holds no observations that it has given. Each part is read once for every `GATHER_ROWS` rows of the people
    in that part. Points outside the picture are not seen (`in_picture`). What lies on other people's joints is told
    from all observations of a part, nobody's too.
    """
    sizes = [sightings(p) for p in parts]
    ends = np.cumsum(sizes)
    count = np.bincount(ids[ids > 0], minlength=1)
    here = np.flatnonzero(ids > 0)
    first = np.full(len(count), len(ids))
    np.minimum.at(first, ids[here], here)
    last = np.zeros(len(count), np.int64)
    np.maximum.at(last, ids[here], here)
    person = 1
    while person < len(count):
        if not count[person]:  # an edit took the id away
            person += 1
            continue
        stop, rows = person + 1, count[person]
        while stop < len(count) and rows + count[stop] <= GATHER_ROWS:
            rows += count[stop]
            stop += 1
        low = int(np.searchsorted(ends, np.min(first[person:stop]), "right"))
        high = int(np.searchsorted(ends, np.max(last[person:stop]), "right"))
        gathered, near, owner = [], [], []
        for p in range(low, high + 1):
            mine = ids[ends[p] - sizes[p] : ends[p]]
            wanted = np.flatnonzero((mine >= person) & (mine < stop))
            part = read_part(parts[p])
            gathered.append(part.take(wanted))
            near.append(claims(part, skeleton, wanted))
            owner.append(mine[wanted])
        group, claimed, owners = (
            in_picture(Observations.concat(gathered), size_px),
            joined(near, gathered),
            np.concatenate(owner),
        )
        people = [_person(int(i), group, claimed, np.flatnonzero(owners == i)) for i in np.unique(owners)]
        del gathered, group, near, claimed, part
        while people:
            rows = np.cumsum([len(obs) for _, obs, _ in people])
            yield (people.pop(0) for _ in range(max(int(np.searchsorted(rows, GROUP_ROWS, "right")), 1)))
        person = stop


def in_picture(obs: Observations, size_px: tuple[int, int]) -> Observations:
    """The observations with a score of 0 where a point lies outside the picture (w, h) by more than `BEYOND`.

    There nobody can see it. Nearer to the edge a part of the limb may be in sight.
    """
    box = obs.box_px
    most = (BEYOND * np.maximum(box[:, 2] - box[:, 0], box[:, 3] - box[:, 1]))[:, None]
    x, y = obs.keypoints_px[..., 0], obs.keypoints_px[..., 1]
    with np.errstate(invalid="ignore"):
        outside = (x < -most) | (y < -most) | (x > size_px[0] + most) | (y > size_px[1] + most)
    return dataclasses.replace(obs, keypoint_score=np.where(outside, np.float32(0), obs.keypoint_score))


def _person(person_id: int, group: Observations, claimed: np.ndarray | None, rows: np.ndarray) -> Person:
    """A person's rows of a group."""
    return person_id, group.take(rows), None if claimed is None else claimed[rows]
