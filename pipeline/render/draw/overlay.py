"""People in a picture: boxes, skeletons, angles and labels, in the order in which they cover each other.

Everything is sized by the picture's shorter side and the person's length, so that 480p and 4K look alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from pipeline.core.skeleton import Skeleton
from pipeline.render.draw.angles import draw_angles
from pipeline.render.draw.canvas import Canvas, Colour
from pipeline.render.draw.colours import OUTLINE, OWN, Palette, side_colours
from pipeline.render.draw.figure import Person, Sizes, draw_skeleton, drawable, faded, sizes_of
from pipeline.render.draw.labels import Placer
from pipeline.render.draw.text import plate
from pipeline.render.look import Look

BRIDGED_OPACITY = 0.5  # of people who were not seen in this frame


def draw_people(
    picture: np.ndarray | Canvas,
    people: Iterable[Person],
    skeleton: Skeleton,
    look: Look | None = None,
    words: Mapping[int, str] | None = None,
    angles: Mapping[int, Mapping[str, str]] | None = None,
    placer: Placer | None = None,
    taken: Sequence[tuple[int, int, int, int]] = (),
    colours: Palette = OWN,
) -> None:
    """Draw people into a picture, RGB (H, W, 3) u8 or a canvas, in place; pixels away from them stay as they are.

    Nearer people, whose boxes end lower, are drawn over those behind them, and labels over everything.

    Args:
        words: the text of a person's label; by default the id.
        angles: the texts at a person's joints.
        placer: carries the places of labels from frame to frame.
        taken: rectangles x1, y1, x2, y2 that labels keep out of.
        colours: of people, which boxes and labels have, and skeletons where the look says so.
    """
    canvas, look, placer = Canvas.of(picture), look or Look(), placer or Placer()
    placer.start(taken)
    shown = [(p, extent) for p in people if (extent := visible_extent(p, canvas.size_px)) is not None]
    shown.sort(key=lambda item: float(item[1][3]))
    sized = [(p, extent, sizes_of(extent, canvas.size_px)) for p, extent in shown]
    if look.boxes:
        for person, _, sizes in sized:
            draw_box(canvas, person, sizes, colours.of(person.person_id))
    if look.skeleton:
        for person, extent, sizes in sized:
            sides = side_colours(colours.of(person.person_id) if look.colour == "person" else None)
            with faded(canvas, extent, 1.0 if person.measured else BRIDGED_OPACITY):
                draw_skeleton(canvas, person, skeleton, sizes, sides, look.heads)
    nearest_first = sized[::-1]
    if look.labels:
        for person, extent, sizes in nearest_first:
            text = (words or {}).get(person.person_id) or str(person.person_id)
            _draw_label(canvas, placer, person, extent, sizes, skeleton, text, colours.of(person.person_id))
    for person, _, sizes in nearest_first:
        if texts := (angles or {}).get(person.person_id):
            sides = side_colours(colours.of(person.person_id) if look.colour == "person" else None)
            draw_angles(canvas, placer, person, skeleton, sizes, texts, sides)


def visible_extent(person: Person, size_px: tuple[int, int]) -> np.ndarray | None:
    """The person's box (4,), or that of the known keypoints where it has none; None when outside the picture."""
    box = np.asarray(person.box_px, np.float64)
    if not np.isfinite(box).all():
        points = person.keypoints_px[np.isfinite(person.keypoints_px).all(1)]
        if not len(points):
            return None
        box = np.concatenate([points.min(0), points.max(0)]).astype(np.float64)
    width, height = size_px
    inside = box[0] < width and box[1] < height and box[2] > 0 and box[3] > 0
    return box if inside else None


def draw_box(canvas: Canvas, person: Person, sizes: Sizes, colour: Colour) -> None:
    """A thin box in a colour, dashed for a bridged person."""
    if not np.isfinite(person.box_px).all():
        return
    # Sides outside the picture stay outside, but near.
    low, high = np.full(2, -8.0 * sizes.box), np.array(canvas.size_px) + 8.0 * sizes.box
    x1, y1, x2, y2 = (int(v) for v in np.round(np.clip(person.box_px.reshape(2, 2), low, high)).ravel())
    line = sizes.box
    if person.measured:
        canvas.frame(x1, y1, x2, y2, line, colour)
        return
    dash, half = 5 * line, line // 2
    for y in (y1, y2):
        for x in range(x1, x2, 2 * dash):
            canvas.fill(x - half, y - half, min(x + dash, x2) - half + line, y - half + line, colour)
    for x in (x1, x2):
        for y in range(y1, y2, 2 * dash):
            canvas.fill(x - half, y - half, x - half + line, min(y + dash, y2) - half + line, colour)


def _draw_label(
    canvas: Canvas,
    placer: Placer,
    person: Person,
    extent: np.ndarray,
    sizes: Sizes,
    skeleton: Skeleton,
    text: str,
    colour: Colour,
) -> None:
    """A small rounded plate above the head or in free space near it, moved into the picture where needed."""
    patch = plate(text, sizes.label, colour, OUTLINE)
    w, h = patch.size
    known = skeleton.names[0] == "nose" and drawable(person, canvas.size_px)[0]
    nose = person.keypoints_px[0] if known else None
    centre = (extent[0] + extent[2]) / 2 if nose is None else min(max(float(nose[0]), extent[0]), extent[2])
    left, top = centre - w / 2, extent[1] - h - sizes.box
    places = [
        (left, top),
        (left, top - 1.1 * h),
        (left - 0.7 * w, top),
        (left + 0.7 * w, top),
        (left, top - 2.2 * h),
        (left, extent[3] + sizes.box),
        (extent[0] - w - sizes.box, extent[1]),  # beside the head
        (extent[2] + sizes.box, extent[1]),
        (extent[0] - w - sizes.box, (extent[1] + extent[3]) / 2),
        (extent[2] + sizes.box, (extent[1] + extent[3]) / 2),
    ]
    placer.put(canvas, patch, places, ("label", person.person_id))
