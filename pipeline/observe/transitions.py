"""Cuts, dissolves, fades and wipes, found in small pictures of all frames (`pipeline.observe.thumbs`).

A cut is a difference between two neighbouring pictures that stands alone: pans, zooms and shake differ as much, but in
one frame after another. A dissolve mixes the picture before it with the one after it, a wipe takes each place from one
of the two, a fade passes through a plain picture. Light that changes, flashes, and pictures that move by little keep
their edges where they are; a flash is followed by the picture that was before it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

LEAST = 9.0  # mean difference of two pictures' Y, Cr and Cb together, of 255 each, from which they may be two shots
ALONE = 3.0  # a cut differs by so many times more than the moving frames around it do
PEAK = 1.2  # the same before the motion of whole pictures is undone
MOVING = 0.6  # difference from which a picture is new: less is the same picture coded again
FLOOR = 1.2  # difference that neighbouring pictures are taken to have at least
SAME_EDGES = 0.55  # correlation of edges from which two pictures show one scene
AROUND = 2  # moving frames on either side with which a cut is compared
AROUND_S = 1.0  # time within which they are looked for
FLASH_S = 0.4  # what was before comes back after a flash within this time
APART_S = 0.3  # shots are at least so long
PLAIN = 2.5  # mean deviation of a plain picture from its mean colour
STEP_S = 1 / 32  # gradual changes are looked for in pictures at least so far apart
LENGTHS = (2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96)  # of gradual changes, in such steps
GRADUAL_LEAST = 24.0  # the same across a gradual change
STEADY, STEADY_SHORT = 0.5, 0.3  # change beside a gradual change against the change across it; of few steps
SHORT = 6  # steps of which there are few
MIXED = 0.25  # share of the difference of both ends that mixtures of them may leave unexplained
SPLIT = 0.25  # the same of places taken from either
NEAR_LINE, IN_LINE = 0.12, 0.6  # so near to a line across the picture, in shares of a wipe, do so many places change
EVERYWHERE = 0.7  # share of the places that a wipe changes, at least
RISE = 0.6  # share of the wipe in which the line crosses the picture
MOVED = 0.75  # share of a difference that is left where moving the picture explains it
COVERED_S = 5.0  # what passes in front of the camera is gone after this time


class Change(NamedTuple):
    """The change of one shot into the next."""

    at: int  # row of the first picture of the new shot
    kind: str  # cut, dissolve, fade or wipe
    rows: int  # pictures between the last that is all old and the first that is all new; 0 for a cut


def changes(pictures: np.ndarray, time_s: np.ndarray) -> list[Change]:
    """The changes of shot in pictures (n, h, w, 3) u8 in Y, Cr and Cb, shown at ``time_s`` (n,), in order."""
    if len(pictures) < 2:
        return []
    seen = pictures.astype(np.float32)
    found = _fades(seen, time_s)
    found += _apart(_gradual(seen, time_s), found)
    found += _apart(_cuts(seen, time_s), found)
    return sorted(_kept(found, time_s))


def difference(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """(…) mean over places of |Y|, |Cr| and |Cb| differences of pictures (…, h, w, 3)."""
    return np.abs(one - other).sum(-1).mean((-1, -2))


def same_edges(one: np.ndarray, other: np.ndarray, reach: int = 1) -> float:
    """The highest correlation of two pictures' edges (h, w, 3) when one of them moves by up to ``reach`` places."""
    a, b = _edges(one[..., 0]), _edges(other[..., 0])
    height, width = a.shape
    best = -1.0
    for dy in range(-reach, reach + 1):
        for dx in range(-reach, reach + 1):
            p = a[max(dy, 0) : height + min(dy, 0), max(dx, 0) : width + min(dx, 0)]
            q = b[max(-dy, 0) : height + min(-dy, 0), max(-dx, 0) : width + min(-dx, 0)]
            p, q = p - p.mean(), q - q.mean()
            best = max(best, float((p * q).sum() / np.sqrt((p * p).sum() * (q * q).sum() + 1e-3)))
    return best


def _edges(luma: np.ndarray) -> np.ndarray:
    """(h − 1, w − 1) size of the gradient."""
    return np.hypot(np.diff(luma, axis=1)[:-1], np.diff(luma, axis=0)[:, :-1])


def _cuts(seen: np.ndarray, time_s: np.ndarray) -> list[Change]:
    step = np.concatenate([[0.0], difference(seen[1:], seen[:-1])])
    moving = np.flatnonzero(step >= MOVING)
    found = []
    for at in np.flatnonzero(step >= LEAST).tolist():
        place = int(np.searchsorted(moving, at))
        around = np.concatenate([moving[max(place - AROUND, 0) : place], moving[place + 1 : place + 1 + AROUND]])
        around = around[np.abs(time_s[around] - time_s[at]) <= AROUND_S]
        if not _alone(seen, step, at, around):
            continue
        if same_edges(seen[at - 1], seen[at]) < SAME_EDGES and not _flash(seen, time_s, at):
            found.append(Change(at, "cut", 0))
    return found


def _alone(seen: np.ndarray, step: np.ndarray, at: int, around: np.ndarray) -> bool:
    """Whether row ``at`` differs from the one before by far more than the rows ``around`` do, even if moved."""
    most = step[around].max(initial=FLOOR)
    if step[at] >= ALONE * most:
        return True
    if step[at] < PEAK * most:
        return False
    left = [_moved(seen[row - 1], seen[row]) * step[row] for row in around.tolist()]
    return _moved(seen[at - 1], seen[at]) * step[at] >= ALONE * max([*left, LEAST / 2])


def _flash(seen: np.ndarray, time_s: np.ndarray, at: int) -> bool:
    """Whether the scene before row ``at`` comes back soon, or the scene from there on was there a moment before."""
    late = int(np.searchsorted(time_s, time_s[at] + FLASH_S, "right"))
    early = int(np.searchsorted(time_s, time_s[at - 1] - FLASH_S, "left"))
    back = any(same_edges(seen[at - 1], seen[i], 2) >= SAME_EDGES for i in range(at + 1, late))
    return back or any(same_edges(seen[i], seen[at], 2) >= SAME_EDGES for i in range(early, at - 1))


def _fades(seen: np.ndarray, time_s: np.ndarray) -> list[Change]:
    """Changes through a plain picture, one for each stretch of plain pictures that does not begin or end the video."""
    plain = np.abs(seen - seen.mean((1, 2), keepdims=True)).sum(-1).mean((1, 2)) < PLAIN
    edge = np.flatnonzero(np.diff(np.concatenate([[False], plain, [False]]).astype(np.int8)))
    found = []
    for first, stop in edge.reshape(-1, 2).tolist():
        if first == 0 or stop == len(seen):
            continue
        low, high = _turned(seen, first, -1), _turned(seen, stop - 1, 1)
        brief = time_s[stop] - time_s[first] <= FLASH_S
        if brief and same_edges(seen[first - 1], seen[stop], 2) >= SAME_EDGES:
            continue
        found.append(Change((first + stop) // 2, "fade", max(high - low - 1, 0)))
    return found


def _turned(seen: np.ndarray, plain: int, way: int) -> int:
    """The row, from a plain picture on backwards or forwards, from which on the pictures fade no longer."""
    row, contrast = plain, 0.0
    while 0 <= row + way < len(seen):
        now = float(seen[row + way, ..., 0].std())
        if now <= contrast * 1.01 + 0.05:
            break
        row, contrast = row + way, now
    return row


def _gradual(seen: np.ndarray, time_s: np.ndarray) -> list[Change]:
    """Dissolves and wipes; where they overlap, the one that explains the largest difference."""
    step = max(round(STEP_S / max(float(np.median(np.diff(time_s))), 1e-3)), 1)
    some = seen[::step]
    coarse = _coarse(some)
    candidates = [each for length in LENGTHS if length < len(some) for each in _explained(some, coarse, length)]
    taken, found = np.zeros(len(some), bool), []
    for each in sorted(candidates, reverse=True):
        stretch = some[each.first : each.last + 1]
        if taken[each.first : each.last + 1].any() or same_edges(stretch[0], stretch[-1], 2) >= SAME_EDGES:
            continue
        if _moves(stretch, 4 if each.kind == "wipe" else 2):
            continue
        if each.kind == "wipe" and (not _in_line(stretch) or _covered(some, each, time_s[::step])):
            continue
        taken[each.first : each.last + 1] = True
        found.append(Change(each.half * step, each.kind, (each.last - each.first - 1) * step))
    return found


class _Gradual(NamedTuple):
    """A stretch whose pictures are mixtures of its first and last, or take each place from one of the two."""

    explained: float  # mean difference between both ends, less what is not explained
    first: int
    last: int
    half: int  # the first picture that is more new than old
    kind: str  # dissolve or wipe


def _coarse(some: np.ndarray) -> np.ndarray:
    """Pictures of half the width and height."""
    height, width = some.shape[1] // 2 * 2, some.shape[2] // 2 * 2
    return some[:, :height, :width].reshape(len(some), height // 2, 2, width // 2, 2, 3).mean((2, 4))


def _explained(some: np.ndarray, coarse: np.ndarray, length: int) -> Iterator[_Gradual]:
    """The gradual changes of ``length`` steps; before and after them less changes."""
    rows = np.arange(len(some) - length)
    apart = difference(coarse[rows], coarse[rows + length])
    rows, apart = rows[apart >= GRADUAL_LEAST], apart[apart >= GRADUAL_LEAST]
    beside = max(length // 3, 1)
    before, after = np.maximum(rows - beside, 0), np.minimum(rows + length + beside, len(some) - 1)
    most = (STEADY_SHORT if length <= SHORT else STEADY) * apart
    calm = difference(coarse[before], coarse[rows]) < most
    calm &= difference(coarse[after], coarse[rows + length]) < most
    rows, apart = rows[calm], apart[calm]
    begin, end, middle = coarse[rows], coarse[rows + length], coarse[rows + length // 2]
    gone = difference(middle, begin) / apart
    calm = (gone > 0.15) & (difference(middle, end) / apart < 0.85) & (gone < 0.85)
    calm &= np.abs(middle - (begin + gone[:, None, None, None] * (end - begin))).sum(-1).mean((1, 2)) < 0.6 * apart
    for row in rows[calm].tolist():
        stretch = some[row : row + length + 1]
        left, share, kind = _left(stretch)
        under_way = (share > 0.08) & (share < 0.92)
        even = np.diff(share)
        if under_way.sum() < 0.6 * (length - 1) or even.min() < -0.12 or even.max() > 0.8:
            continue
        if left < (MIXED if kind == "dissolve" else SPLIT):
            whole = float(difference(stretch[0], stretch[-1]))
            yield _Gradual((1 - left) * whole, row, row + length, row + int(np.argmax(share >= 0.5)), kind)


def _left(stretch: np.ndarray) -> tuple[float, np.ndarray, str]:
    """What mixtures or choices of both ends leave of their difference, the share of the new picture, and the kind."""
    begin, end, inner = stretch[0], stretch[-1], stretch[1:-1]
    way = end - begin
    share = ((inner - begin) * way).sum((1, 2, 3)) / max(float(np.square(way).sum()), 1e-6)
    mixed = difference(inner, begin + share[:, None, None, None] * way)
    chosen = np.minimum(np.abs(inner - begin).sum(-1), np.abs(inner - end).sum(-1)).mean((1, 2))
    under_way = (share > 0.08) & (share < 0.92)
    if not under_way.any():
        return np.inf, np.concatenate([[0.0], share, [1.0]]), "dissolve"
    left = np.array([mixed[under_way].mean(), chosen[under_way].mean()]) / max(float(difference(begin, end)), 1e-6)
    kind = int(left[1] < left[0])
    return float(left[kind]), np.concatenate([[0.0], share, [1.0]]), ("dissolve", "wipe")[kind]


def _in_line(stretch: np.ndarray) -> bool:
    """Whether the border between old and new moves in a line: the time of the change rises along a direction.

    People who move on either side do not count: the line need not hold everywhere.
    """
    begin, end, inner = stretch[0], stretch[-1], stretch[1:-1]
    apart = np.abs(end - begin).sum(-1)
    kept = (np.abs(inner - begin).sum(-1) < np.abs(inner - end).sum(-1)).mean(0)  # share of the time for which old
    if (apart >= LEAST).mean() < EVERYWHERE:
        return False
    row, column = np.nonzero(apart > apart.mean())
    place = np.stack([row, column, np.ones(len(row))], 1)
    told = kept[row, column]
    some = np.ones(len(told), bool)
    for _ in range(4):
        line = place @ np.linalg.lstsq(place[some], told[some], rcond=None)[0]
        off = np.abs(told - line)
        some = off <= max(float(np.median(off)), 1e-3)
    return float((off < NEAR_LINE).mean()) >= IN_LINE and float(np.ptp(line)) >= RISE


def _moves(stretch: np.ndarray, parts: int) -> bool:
    """Whether the picture as a whole moves on: then moving it explains much of what changes from time to time.

    Times are a row apart, and as far as ``parts`` go into the stretch: halves of a wipe look alike by chance.
    """
    last = len(stretch) - 1
    for gap in {1, max(last // 4, 1), max(last // parts, 1)}:
        rows = np.linspace(0, last - gap, 4).astype(int)
        shares = [_moved(stretch[row], stretch[row + gap]) for row in rows]
        if np.mean(shares) < MOVED:
            return True
    return False


def _moved(one: np.ndarray, other: np.ndarray) -> float:
    """The difference of two pictures that is left when one of them is moved, against that without moving."""
    whole = float(difference(one, other))
    if whole < MOVING:
        return 1.0
    height, width = one.shape[:2]
    least = whole
    for dy in (-1, 0, 1):
        for dx in range(-(width // 4), width // 4 + 1):
            p = one[max(dy, 0) : height + min(dy, 0), max(dx, 0) : width + min(dx, 0)]
            q = other[max(-dy, 0) : height + min(-dy, 0), max(-dx, 0) : width + min(-dx, 0)]
            least = min(least, float(difference(p, q)))
    return least / whole


def _covered(some: np.ndarray, each: _Gradual, time_s: np.ndarray) -> bool:
    """Whether what was there before comes back: something passed in front of the camera."""
    stop = int(np.searchsorted(time_s, time_s[each.last] + COVERED_S))
    return any(same_edges(some[each.first], some[i], 2) >= SAME_EDGES for i in range(each.last + 1, stop, 3))


def _apart(new: list[Change], known: list[Change]) -> list[Change]:
    """The new changes that lie in no known one."""
    return [n for n in new if all(abs(n.at - k.at) > k.rows // 2 + 2 + n.rows // 2 for k in known)]


def _kept(found: list[Change], time_s: np.ndarray) -> list[Change]:
    """The changes without those that follow another one at once."""
    kept: list[Change] = []
    for each in sorted(found):
        if not kept or time_s[each.at] - time_s[kept[-1].at] > APART_S:
            kept.append(each)
    return kept
