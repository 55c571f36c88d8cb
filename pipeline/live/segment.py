"""The open segment: parts of observations, their identities, the table of frames, and the video.

Flushed data are complete: a kill loses only later frames. `pipeline.live.finish` makes the segment's tables.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.core.config import Config
from pipeline.core.types import Observations, VideoInfo
from pipeline.live.crowd import Seen
from pipeline.live.eyes import Eyes
from pipeline.live.hidden import Hidden
from pipeline.live.ledger import iso
from pipeline.live.painter import TICKS, USUAL_RATE, LivePainter
from pipeline.models.protocols import NetworkFacts
from pipeline.render.privacy import Privacy
from pipeline.store.atomic import atomic
from pipeline.store.folder import RunFolder
from pipeline.store.lock import locked
from pipeline.store.manifest import Manifest, begun, video_facts
from pipeline.store.parts import write_part


class Segment:
    """A segment's folder while frames come in. ``live`` holds facts for run.json besides those of every run.

    ``before`` is the segment that was closed when this one began.
    """

    def __init__(
        self,
        path: Path,
        size_px: tuple[int, int],
        source: str,
        config: Config,
        facts: NetworkFacts,
        live: dict[str, Any],
        render: bool,
        before: Segment | None = None,
    ) -> None:
        self.folder = RunFolder(path)
        self.size_px, self.live = size_px, live
        self._source, self._config, self._facts = source, config, facts
        self._digest = hashlib.sha256(json.dumps([source, live, list(size_px)]).encode()).hexdigest()[:32]
        self._frames: list[tuple[int, bool, float, float]] = []  # pts, whether the first, Unix time, delay
        self._part: list[Observations] = []
        self._ids: list[np.ndarray] = []
        self._parts, self._flushed = 0, 0
        self._held = ExitStack()
        self._held.enter_context(locked(path))
        self.folder.observations.mkdir(parents=True, exist_ok=True)
        privacy = Privacy.of(config.render)
        self._painter = None
        if render:
            hidden = before.hidden if before is not None and before.size_px == size_px else None
            self._painter = LivePainter(path / "live.mp4", size_px, facts.skeleton, config, privacy, hidden)
        self.folder.write_manifest(self._manifest())

    def __len__(self) -> int:
        return len(self._frames)

    @property
    def hidden(self) -> Hidden | None:
        """The regions of the people seen last, for the next segment; known when this segment is closed."""
        return self._painter.hidden if self._painter is not None else None

    @property
    def unflushed(self) -> int:
        """Frames that a kill would lose."""
        return len(self._frames) - self._flushed

    def add(self, time_s: float, wall_s: float, obs: Observations, ids: np.ndarray, faint_px: np.ndarray) -> None:
        """Add the next frame, at ``time_s`` of the run, with its observations (n, …) and their tracklets (n,).

        ``faint_px`` (m, 4) are faint boxes, which may hold further people.
        """
        pts = round(time_s * TICKS)
        if self._frames:
            pts = max(pts, self._frames[-1][0] + 1)
        self._frames.append((pts, not self._frames, wall_s, np.nan))
        self._part.append(obs)
        self._ids.append(ids)
        if self._painter is not None:
            self._painter.saw(pts / TICKS, obs, ids, faint_px)

    def told(self, frame: int, image: np.ndarray | None, people: list[Seen], delay_s: float) -> None:
        """Record that a frame's people are known ``delay_s`` after its arrival, and draw them into ``image``."""
        pts, key, wall_s, _ = self._frames[frame]
        self._frames[frame] = (pts, key, wall_s, delay_s)
        if self._painter is not None and image is not None:
            self._painter.put(pts / TICKS, image, pts, people)

    def flush(self, names: dict[int, int], eyes: Eyes) -> None:
        """Write the data since the last flush: the table of frames, then the identities, then the observations."""
        if self._flushed == len(self._frames):
            return
        self._write_index()
        ids = np.concatenate(self._ids) if self._ids else np.zeros(0, np.int32)
        metadata = {"people": json.dumps({str(t): p for t, p in names.items()})}
        with atomic(ids_file(self.folder, self._parts)) as temporary:
            pq.write_table(pa.table({"tracklet": ids}).replace_schema_metadata(metadata), temporary)
        frames = (self._flushed, len(self._frames))
        obs = Observations.concat(self._part)
        path, digest = self.folder.part(self._parts), self._digest[:16]
        write_part(path, obs, frames, digest, [], eyes.camera.cut(), eyes.faint.cut(), tiles=eyes.tiles.cut())
        self._part, self._ids = [], []
        self._parts, self._flushed = self._parts + 1, len(self._frames)

    def close(self, names: dict[int, int], eyes: Eyes, live: dict[str, Any]) -> None:
        """Close the segment after its last frame; ``live`` is added to run.json."""
        self.flush(names, eyes)
        if self._painter is not None:
            self._painter.close()
        self.live |= live
        self.folder.write_manifest(self._manifest())
        self._held.close()

    def _write_index(self) -> None:
        pts, key, wall_s, delay_s = (np.array(c) for c in zip(*self._frames, strict=True))
        table = pa.table(
            {
                "frame": np.arange(len(pts)),
                "pts": pts.astype(np.int64),
                "time_s": pts / TICKS,
                "is_key": key.astype(bool),
                "wall_s": wall_s,
                "latency_s": pa.array(delay_s, from_pandas=True),
            }
        )
        with atomic(self.folder.observations / "index.parquet") as temporary:
            pq.write_table(table.replace_schema_metadata({"video_digest": self._digest}), temporary, compression="zstd")

    def _manifest(self) -> Manifest:
        from pipeline.prepare import versions

        config, facts, frames = self._config, self._facts, (0, len(self._frames))
        names, told = facts.digests, facts.warnings
        video = video_facts(self._info())
        digest, libraries = self._digest[:16], versions(config)
        made = begun(config, video, facts.skeleton, frames, digest, names, libraries, told, facts.computes)
        made = made.but(live=self.live)
        return made if self._painter is None else made.but(rendered_privacy=Privacy.of(config.render).facts())

    def _info(self) -> VideoInfo:
        pts = np.array([row[0] for row in self._frames] or [round(self.live["from_s"] * TICKS)], np.int64)
        return VideoInfo(
            path=Path(self._source),
            size_px=self.size_px,
            rotation_deg=0,
            time_base=Fraction(1, TICKS),
            fps=usual_rate(pts / TICKS),
            pts=pts,
            time_s=pts / TICKS,
            is_key=np.zeros(len(pts), bool),
            has_audio=False,
            digest=self._digest,
            codec="live",
            kind="live",
        )


def ids_file(folder: RunFolder, part: int) -> Path:
    """The file of identities of a part's observations: tracklets and people."""
    return folder.observations / f"ids-{part:05d}.parquet"


def usual_rate(time_s: np.ndarray) -> Fraction:
    """Frames per second by the median step of times (T,); for file headers only, not for computing times."""
    return Fraction(1 / float(np.median(np.diff(time_s)))).limit_denominator(1000) if len(time_s) > 1 else USUAL_RATE


def segment_name(number: int, wall_s: float) -> str:
    """``00012_20260131T181500Z``: in order, and with the time at which it starts."""
    return f"{number:05d}_" + iso(wall_s)[:19].replace("-", "").replace(":", "") + "Z"
