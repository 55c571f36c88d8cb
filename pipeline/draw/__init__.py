"""Drawing people into a picture: skeletons, boxes, labels, angles, trails, insets; and blurring them.

Nothing here reads files: `pipeline.render` brings people and pictures together.
"""

from pipeline.draw.canvas import Canvas
from pipeline.draw.colours import SIDE_COLOURS, person_colour
from pipeline.draw.figure import Person, sizes_of
from pipeline.draw.people import draw_people
from pipeline.look import STYLES, Look

__all__ = ["SIDE_COLOURS", "STYLES", "Canvas", "Look", "Person", "draw_people", "person_colour", "sizes_of"]
