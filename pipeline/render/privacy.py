"""How people are hidden in pictures. Every function that makes pictures of a run gets a `Privacy`, which alone decides
which regions of a frame are hidden, how, and whether the source may be shown as it is.

`tests/render/test_privacy.py` checks every function that makes pictures.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from pipeline.core.settings import RenderConfig
from pipeline.core.skeleton import Skeleton
from pipeline.core.types import Observations
from pipeline.render.draw.canvas import Canvas
from pipeline.render.draw.obscure import obscure_heads, obscure_people
from pipeline.render.regions import faint_shapes, regions_by_frame, shapes_of
from pipeline.store.folder import RunFolder
from pipeline.store.parts import keeps_faint

_STRICTER = ("none", "faces", "people")


@dataclass(frozen=True)
class Privacy:
    """``blur`` hides nobody, heads or whole people; ``black`` shows nothing of the video at all."""

    blur: Literal["none", "faces", "people"] = "none"
    black: bool = False

    @classmethod
    def of(cls, settings: RenderConfig) -> Privacy:
        """The privacy of the settings."""
        return cls(settings.blur, settings.background == "black")

    @classmethod
    def of_run(cls, settings: RenderConfig, manifest: dict[str, Any]) -> Privacy:
        """The stricter of two: the privacy of the settings, and the one that annotated.mp4 was drawn with."""
        asked, drawn = cls.of(settings), cls._drawn(manifest)
        if drawn is None:
            return asked
        return cls(max(asked.blur, drawn.blur, key=_STRICTER.index), asked.black or drawn.black)

    @classmethod
    def _drawn(cls, manifest: dict[str, Any]) -> Privacy | None:
        said = manifest.get("rendered_privacy") or {}
        return cls(said["blur"], said["black"]) if said.get("blur") in _STRICTER else None

    @property
    def hides(self) -> bool:
        """Whether there is anything to hide on a picture of the video."""
        return self.blur != "none" and not self.black

    @property
    def whole(self) -> bool:
        """Whether people are hidden from head to foot, not their heads alone."""
        return self.blur == "people"

    @property
    def shows_source(self) -> bool:
        """Whether the source may be shown as it is."""
        return self.blur == "none" and not self.black

    @property
    def draws_heads(self) -> bool:
        """Whether skeletons have their heads' points, which would reveal features under a blur."""
        return not self.hides

    def shows_video(self, manifest: dict[str, Any], otherwise: Privacy | None = None) -> bool:
        """Whether annotated.mp4 may be shown; ``otherwise``: the privacy of the video where run.json does not name it.

        A video of unknown privacy is shown only where nothing is hidden.
        """
        drawn = self._drawn(manifest) or otherwise
        return self.shows_source if drawn is None else drawn.hides_as_much_as(self)

    def hides_as_much_as(self, other: Privacy) -> bool:
        """Whether nothing is shown that the other privacy hides."""
        return self.black or (not other.black and _STRICTER.index(self.blur) >= _STRICTER.index(other.blur))

    def remark(self, stored: RenderConfig, manifest: dict[str, Any]) -> list[str]:
        """A line where a video with this privacy shows what the run's settings or its video have hidden so far."""
        so_far = Privacy.of_run(stored, manifest)
        if self.hides_as_much_as(so_far):
            return []
        how = "a black background" if so_far.black else f"--blur {so_far.blur}"
        return [f"this video hides less of the people than the run did so far ({how}), as these settings ask"]

    def facts(self) -> dict[str, Any]:
        """The value of ``rendered_privacy`` in run.json for a video drawn with this privacy."""
        return {"blur": self.blur, "black": self.black}

    def shapes(self, obs: Observations, skeleton: Skeleton) -> np.ndarray:
        """The hidden region of each observation: (N, 5) capsules of heads, or (N, 4) boxes of people; NaN unknown."""
        return shapes_of(obs, skeleton, self.whole)

    def faint_shapes(self, box_px: np.ndarray) -> np.ndarray:
        """The hidden regions (M, 5 or 4) of faint detections: boxes (M, 4) in which somebody may be."""
        return faint_shapes(box_px, self.whole)

    def notes(self, folder: RunFolder) -> list[str]:
        """Warnings about people who cannot be hidden in a run that an earlier version observed."""
        if not self.hides or all(keeps_faint(path) for path in folder.parts()):
            return []
        return [
            f"{folder.observations}: made by an earlier version, which did not keep where it was unsure of people; only"
            " those it was sure of are hidden. poseline run --force on the video observes it again"
        ]

    def regions(
        self, folder: RunFolder, skeleton: Skeleton, time_s: np.ndarray, frames: range
    ) -> Iterator[list[np.ndarray]]:
        """The regions to hide in each frame of a rising range of a run's (T,) frames."""
        if not self.hides:
            return iter([[]] * len(frames))
        return regions_by_frame(folder, skeleton, time_s, frames, self.whole)

    def hide(self, canvas: Canvas, regions: Iterable[np.ndarray], scale: np.ndarray | None = None) -> None:
        """Make the regions unrecognisable, in place; ``scale`` (2,) is that of the canvas to the source."""
        if not self.hides:
            return
        scaled = (region if scale is None else region * np.resize(scale, len(region)) for region in regions)
        (obscure_people if self.whole else obscure_heads)(canvas, scaled)

    def hide_all(self, canvas: Canvas) -> None:
        """Make the whole picture unrecognisable, in place, for frames whose people are not known yet."""
        if self.hides:
            obscure_people(canvas, [np.array([0, 0, *canvas.size_px], np.float64)])
