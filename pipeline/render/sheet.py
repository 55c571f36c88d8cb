"""The people of a run on one sheet: the best picture of each, with id, name and times."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from pipeline.core.clock import clock
from pipeline.core.errors import PoselineError
from pipeline.core.types import MEASURED, VideoInfo
from pipeline.render.draw.canvas import Canvas
from pipeline.render.draw.colours import OUTLINE, person_colour
from pipeline.render.draw.text import plate, word
from pipeline.render.privacy import Privacy
from pipeline.store.atomic import atomic
from pipeline.store.checked import TableFile
from pipeline.store.folder import RunFolder, skeleton_of_run
from pipeline.store.index import stored_video
from pipeline.video.decode import open_reader
from pipeline.video.moved import at_hand, gone
from pipeline.video.sources import refuse_live

CELL_PX, TEXT_PX, GAP_PX = (210, 280), 26, 14  # a picture (w, h), a line under it, and between cells
_AROUND = 0.08  # shown margin around the box, as a share of the box
_KEPT = 24  # candidates of a person that are checked for people in front
_LOOKS, _MOST_LOOKS = 240, 5  # most pictures to decode: in all, and of one person
_INK, _GREY, _PAPER = (30, 34, 40), (110, 116, 124), (255, 255, 255)
FORMATS = (".png", ".jpg", ".jpeg", ".webp")


class Candidate(NamedTuple):
    """Somebody in one frame."""

    worth: float
    frame: int
    box_px: np.ndarray  # (4,)


def contact_sheet(folder: RunFolder, privacy: Privacy, out: Path | None = None) -> Path:
    """Draw the sheet into ``out``, by default people.png of the run; returns its path.

    The best picture of a person is large, of a high score, sharp, not cut off by the border, and nobody stands in front
    of the person. The regions that ``privacy`` hides in the annotated video are hidden here, too. A black background is
    not used, since a sheet consists of pictures.
    """
    privacy = replace(privacy, black=False)
    out = out or folder.path / "people.png"
    if out.suffix.lower() not in FORMATS:
        raise PoselineError(f"--out {out}: unknown kind of picture; end its name in {', '.join(FORMATS)}")
    info = at_hand(folder, stored_video(folder))
    refuse_live(info)
    if not info.path.exists():
        raise PoselineError(gone(folder, info))
    candidates, spans = _candidates(folder, info)
    if not candidates:
        raise PoselineError(f"{folder.path}: nobody was found, so there is no sheet of people")
    names = folder.names()
    best = _best(folder, info, candidates, privacy)
    cells = [_cell(best[i], i, names.get(i, ""), spans[i], float(info.time_s[0])) for i in sorted(best)]
    with atomic(out) as temporary:
        kind = ".jpg" if out.suffix.lower() == ".jpeg" else out.suffix.lower()
        temporary.write_bytes(cv2.imencode(kind, _sheet(cells)[..., ::-1])[1].tobytes())
    return out


def _rows(folder: RunFolder) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
    """(person, frame, box, score) of the rows in which people were seen, in batches."""
    columns = ["person_id", "frame", "box_px", "score", "state"]
    with TableFile(folder.tracks) as file:
        for group in range(file.row_groups):
            table = file.read(group, columns)
            box = table["box_px"].combine_chunks().flatten().to_numpy(zero_copy_only=False).reshape(-1, 4)
            rows = (table["state"].to_numpy() == MEASURED) & np.isfinite(box).all(1)
            person, frame, score = (table[name].to_numpy()[rows] for name in ("person_id", "frame", "score"))
            yield person, frame, box[rows], score


def _candidates(
    folder: RunFolder, info: VideoInfo
) -> tuple[dict[int, list[Candidate]], dict[int, tuple[float, float]]]:
    """Each person's most promising frames, apart in time and with nobody in front; and the first and the last time."""
    found: dict[int, list[Candidate]] = {}
    spans: dict[int, tuple[float, float]] = {}
    for person, frame, box, score in _rows(folder):
        for i in np.unique(person).tolist():
            mine = np.flatnonzero(person == i)
            times = info.time_s[frame[mine]]
            first, last = spans.get(i, (np.inf, -np.inf))
            spans[i] = (min(first, float(times[0])), max(last, float(times[-1])))
            worth = _worth(box[mine], score[mine], info.size_px)
            blocks = np.array_split(np.arange(len(mine)), min(_KEPT, len(mine)))
            rows = [block[int(np.argmax(worth[block]))] for block in blocks]
            new = [Candidate(float(worth[r]), int(frame[mine[r]]), box[mine[r]]) for r in rows]
            found[i] = sorted([*found.get(i, []), *new], key=lambda c: -c.worth)[:_KEPT]
    wanted = np.unique([c.frame for some in found.values() for c in some])
    others: dict[int, list[tuple[int, np.ndarray]]] = {}
    for person, frame, box, _ in _rows(folder):
        for r in np.flatnonzero(np.isin(frame, wanted)):
            others.setdefault(int(frame[r]), []).append((int(person[r]), box[r]))
    looks = int(np.clip(_LOOKS // max(len(found), 1), 1, _MOST_LOOKS))
    chosen = {}
    for i, some in found.items():
        free = [c._replace(worth=c.worth * _free(c.box_px, i, others[c.frame])) for c in some]
        chosen[i] = sorted(free, key=lambda c: -c.worth)[:looks]
    return chosen, spans


def _worth(box: np.ndarray, score: np.ndarray, size_px: tuple[int, int]) -> np.ndarray:
    """(n,) how promising people are: certain, large, not cut off by the border."""
    size = np.maximum(box[:, 2:] - box[:, :2], 1)
    inside = np.clip(box[:, 2:], 0, size_px) - np.clip(box[:, :2], 0, size_px)
    return score * size.prod(1) ** 0.25 * (inside / size).prod(1).clip(0, 1) ** 2


def _free(box: np.ndarray, person: int, others: list[tuple[int, np.ndarray]]) -> float:
    """The share of a box that is not covered by the boxes of other people."""
    area, covered = float(np.prod(box[2:] - box[:2])), 0.0
    for other, theirs in others:
        if other != person:
            common = np.minimum(box[2:], theirs[2:]) - np.maximum(box[:2], theirs[:2])
            covered = max(covered, float(np.prod(np.maximum(common, 0))) / max(area, 1.0))
    return (1 - min(covered, 1.0)) ** 2 + 0.01


def _best(
    folder: RunFolder, info: VideoInfo, candidates: dict[int, list[Candidate]], privacy: Privacy
) -> dict[int, np.ndarray]:
    """The best picture (h, w, 3) u8 RGB of each person; frames are decoded in order."""
    by_frame: dict[int, list[tuple[int, Candidate]]] = {}
    for i, some in candidates.items():
        for candidate in some:
            by_frame.setdefault(candidate.frame, []).append((i, candidate))
    best: dict[int, tuple[float, np.ndarray]] = {}
    skeleton = skeleton_of_run(folder)
    with open_reader(info) as reader:
        for frame in sorted(by_frame):
            for batch in reader.read(frame, frame + 1, 1):
                image = batch.image[0]
                sharp = image.copy() if privacy.hides else image
                regions = next(privacy.regions(folder, skeleton, info.real_s, range(frame, frame + 1)))
                privacy.hide(Canvas.of(image), regions)
                for i, candidate in by_frame[frame]:
                    worth = candidate.worth * _sharpness(_cut(sharp, candidate.box_px, 0.0)[0])
                    if i not in best or worth > best[i][0]:
                        best[i] = worth, _fitted(image, candidate.box_px)
    return {i: picture for i, (_, picture) in best.items()}


def _sharpness(crop: np.ndarray) -> float:
    """Fine contrast of a crop at one size, on a logarithmic scale."""
    small = cv2.resize(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), (96, 192), interpolation=cv2.INTER_AREA)
    return float(np.log2(2 + cv2.Laplacian(small, cv2.CV_32F).std()))


def _cut(image: np.ndarray, box: np.ndarray, around: float) -> tuple[np.ndarray, np.ndarray]:
    """The part of the picture in a box, and its own box."""
    height, width = image.shape[:2]
    margin = around * float(max(box[2:] - box[:2]))
    low = np.clip(np.floor(box[:2] - margin), 0, [width - 2, height - 2]).astype(int)
    high = np.maximum(np.clip(np.ceil(box[2:] + margin), 2, [width, height]).astype(int), low + 2)
    return image[low[1] : high[1], low[0] : high[0]], np.concatenate([low, high])


def _fitted(image: np.ndarray, box: np.ndarray) -> np.ndarray:
    """A person with some of the surroundings, in the shape of a cell."""
    margin = _AROUND * float(max(box[2:] - box[:2]))
    centre, size = (box[:2] + box[2:]) / 2, box[2:] - box[:2] + 2 * margin
    scale = float(max(size / CELL_PX))
    half = np.array(CELL_PX) * scale / 2
    height, width = image.shape[:2]
    centre = np.where(2 * half < (width, height), np.clip(centre, half, (width, height) - half), centre)
    crop, _ = _cut(image, np.concatenate([centre - half, centre + half]), 0.0)
    fit = min(CELL_PX[0] / crop.shape[1], CELL_PX[1] / crop.shape[0])
    target = (min(round(crop.shape[1] * fit), CELL_PX[0]), min(round(crop.shape[0] * fit), CELL_PX[1]))
    crop = cv2.resize(crop, target, interpolation=cv2.INTER_AREA if fit < 1 else cv2.INTER_CUBIC)
    out = np.full((CELL_PX[1], CELL_PX[0], 3), 235, np.uint8)
    x, y = (CELL_PX[0] - target[0]) // 2, (CELL_PX[1] - target[1]) // 2
    out[y : y + target[1], x : x + target[0]] = crop
    return out


def _cell(picture: np.ndarray, person_id: int, name: str, span: tuple[float, float], start_s: float) -> np.ndarray:
    """The picture with the lines under it."""
    width, height = CELL_PX
    cell = np.full((height + 2 * TEXT_PX, width, 3), 255, np.uint8)
    cell[:height] = picture
    canvas = Canvas.of(cell)
    label = plate(str(person_id), 22, person_colour(person_id), OUTLINE)
    canvas.put(label, 0, height + 4)
    if name:
        canvas.put(word(name, 22, _INK, _PAPER), label.size[0] + 2, height + 4)
    first, last = (clock(t - start_s, 1 if t - start_s < 3600 else 0) for t in span)
    canvas.put(word(f"{first} – {last}", 20, _GREY, _PAPER), -3, height + TEXT_PX + 2)
    return cell


def _sheet(cells: list[np.ndarray]) -> np.ndarray:
    """Cells in rows, about as wide as high."""
    height, width = cells[0].shape[:2]
    columns = min(len(cells), int(np.ceil((1.5 * len(cells)) ** 0.5)))
    rows = -(-len(cells) // columns)
    sheet = np.full((rows * (height + GAP_PX) + GAP_PX, columns * (width + GAP_PX) + GAP_PX, 3), 255, np.uint8)
    for n, cell in enumerate(cells):
        y, x = GAP_PX + n // columns * (height + GAP_PX), GAP_PX + n % columns * (width + GAP_PX)
        sheet[y : y + height, x : x + width] = cell
    return sheet
