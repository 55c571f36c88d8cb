"""A live stream from its first frame to its last: receive, observe, track, smooth, report, and write segments."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pipeline.core.config import Config
from pipeline.core.progress import Progress
from pipeline.core.words import counted
from pipeline.lift.registry import lifter_facts
from pipeline.live.causal import online
from pipeline.live.crowd import Crowd
from pipeline.live.eyes import Eyes
from pipeline.live.finish import SEGMENTS, Finishers, unfinished
from pipeline.live.folder import LiveFolder
from pipeline.live.jsonl import JsonLines
from pipeline.live.ledger import STOPPED, Delays, Ledger, iso
from pipeline.live.receive import Received, Receiver
from pipeline.live.segment import Segment, segment_name
from pipeline.live.source import LiveSource, without_secrets
from pipeline.live.space import Space, build_space
from pipeline.models.registry import build_models, decided, run_facts
from pipeline.video.convert import ToRGB
from pipeline.video.shape import upright
from pipeline.video.tone import hdr_of, tone_mapped

WAIT_S = 0.25  # longest wait for a full group of frames
SILENT_S = 0.5  # after so long without frames the waiting ones are finished without later frames
TELL_S = 10.0  # between lines of progress
AHEAD = 100  # numbers of people that run.json reserves for this run, so that no later run reuses one after a kill


class _Tag(NamedTuple):
    """The data of a frame that are kept until its people are known."""

    segment: Segment
    frame: int  # of the segment
    image: np.ndarray | None
    received: Received


class LiveEngine:
    """The state of one run."""

    def __init__(
        self, source: LiveSource, path: Path, config: Config, render: bool, jsonl: str | None, progress: Progress
    ) -> None:
        self.source, self.render, self.say = source, render, progress.say
        config = decided(config)
        self.config = without_secrets(config)  # the receiver alone gets all of it
        self.facts = run_facts(config)
        for line in self.facts.warnings + lifter_facts(config).warnings:
            self.say(line)
        self.stopping = ""  # the reason, once the run is stopping
        self.folder = LiveFolder(path)
        self.ledger = Ledger()
        self.models = build_models(config)
        self.eyes = Eyes(self.models, config, self.say)
        self.crowd: Crowd | None = None
        self.segment: Segment | None = None
        self._closed: Segment | None = None  # the last closed segment, until the next one is open
        self.frames = 0
        self.number = self.folder.next_segment
        self.finishers = Finishers(self.say)
        self.space: Space | None = None
        self.receiver = Receiver(
            source, config.live, self.ledger, self.say, self.folder.event, deinterlace=config.video.deinterlace
        )
        self.jsonl = self._lines(jsonl) if jsonl else None
        self.session = {"started": iso(time.time()), "ended": None, "end": "running"}
        self._rgb: tuple[tuple[int, int], ToRGB] | None = None
        self._segment_counts: dict[str, Any] = {}
        self._flushed = self._told = self._seen = time.monotonic()
        self._kept_below = 0  # run.json reserves the numbers of people below it for this run
        self._before = (0, 0, 0)  # received, processed, dropped at the last line

    def _lines(self, target: str) -> JsonLines:
        """The lines for listeners, with 3D where the lifter has a form for streams."""
        self.space = build_space(self.config, self.models.skeleton)
        joints = self.space.names if self.space is not None else ()
        return JsonLines(target, self.models.skeleton, joints, self.source.shown, self.say)

    def go(self, max_seconds: float | None) -> None:
        """Follow the stream to its end, whatever ends it; then close everything."""
        end = time.monotonic() + max_seconds if max_seconds is not None else float("inf")
        how = "failed"
        try:
            self.receiver.start(lambda: bool(self.stopping))
            self.folder.event("started", {"source": self.source.shown})
            for path in unfinished(self.folder.path):
                self.finishers.add(path)
            while not self.stopping and not self.receiver.ended and time.monotonic() < end:
                group = self.receiver.take(1, WAIT_S)
                if group:
                    self._group(group)
                elif self.crowd is not None and time.monotonic() - self._seen > SILENT_S:
                    self._tell(all_=True)  # no later frame will come
                self._housekeeping()
            how = self.stopping or ("max_seconds" if not self.receiver.ended else "source ended")
            if self.receiver.error is not None:
                how = "source lost"
                raise self.receiver.error
        finally:
            self._close(how)

    def _close(self, how: str) -> None:
        self.say(f"live: stopping ({how})")
        self.receiver.stop()
        self.ledger.drop(STOPPED, self.ledger.counts()["waiting"])  # frames that were taken when an error came
        with contextlib.ExitStack() as last:  # runs from the last line up; each call runs even if another one fails
            last.callback(self._write_manifest)
            last.callback(self.finishers.wait)
            last.callback(self._end, how)
            if self.jsonl is not None:
                last.callback(self.jsonl.close)
            last.callback(self._roll)

    def _end(self, how: str) -> None:
        self.session |= {"ended": iso(time.time()), "end": how}
        self._write_manifest()
        self.folder.event("stopped", {"how": how})

    # --- frames ------------------------------------------------------------------------------------------------------

    def _group(self, group: list[Received]) -> None:
        """Process frames of one size, in order: observe them together, then track them one after another."""
        size_px, first = group[0].size_px, group[0]
        carry = self._make_room(size_px, first)
        assert self.segment is not None
        assert self.crowd is not None
        images = np.stack([self._image(frame) for frame in group])
        numbers = len(self.segment) + np.arange(len(group))
        look = self.eyes.look(images, numbers, np.array([f.time_s for f in group]))
        if carry is not None:
            look.motions[0] = carry
        for i, frame in enumerate(group):
            here = look.found.take(look.found.frame == numbers[i])
            tag = _Tag(self.segment, int(numbers[i]), images[i] if self.render else None, frame)
            if look.cuts[i]:
                self.folder.event("shot", {"time_s": round(frame.time_s, 3)})
                self.crowd.leave()
            ids = self.crowd.add(self.frames, frame.time_s, tag, here, look.motions[i])
            self.segment.add(frame.time_s, frame.wall_s, here, ids, self.eyes.faint.of(int(numbers[i])))
            self.frames += 1
            self.ledger.process(1)
        self._seen = time.monotonic()
        self._tell()

    def _make_room(self, size_px: tuple[int, int], first: Received) -> np.ndarray | None:
        """Open a segment for frames of this size; returns the motion that scales people where the size has changed."""
        carry = None
        if self.crowd is None:
            self.crowd = Crowd(online(self.config), self.models, size_px, self.folder.next_person)
        segment = self.segment
        if segment is not None and segment.size_px != size_px:
            self.say(f"live: the picture is {size_px[0]}x{size_px[1]} now; a new segment")
            self.folder.event("resized", {"time_s": round(first.time_s, 3), "size_px": list(size_px)})
            self._roll()
            self.eyes.forget()
            carry = self.crowd.resized(size_px)
        elif segment is not None and first.time_s - segment.live["from_s"] >= self.config.live.segment_s:
            self._roll()
        if self.segment is None:
            self._open(size_px, first)
        return carry

    def _open(self, size_px: tuple[int, int], first: Received) -> None:
        name = segment_name(self.number, first.wall_s)
        live = {"segment": self.number, "from_s": round(first.time_s, 6), "from": iso(first.wall_s)}
        path, before = self.folder.path / SEGMENTS / name, self._closed
        self.segment = Segment(path, size_px, self.source.shown, self.config, self.facts, live, self.render, before)
        self._closed = None
        self.number += 1
        self._segment_counts = self.ledger.counts()
        self._flushed = time.monotonic()
        self._write_manifest()

    def _image(self, frame: Received) -> np.ndarray:
        """(H, W, 3) u8 RGB, upright."""
        stored = frame.size_px if frame.rotation_deg % 180 == 0 else frame.size_px[::-1]
        if self._rgb is None or self._rgb[0] != stored:
            sdr = tone_mapped(*hdr_of(frame.picture, self.config.video.hdr))
            self._rgb = stored, ToRGB(stored, frame.pixel_aspect, sdr)
        return upright(self._rgb[1](frame.picture), frame.rotation_deg, frame.mirrored)

    def _tell(self, all_: bool = False) -> None:
        """Write, draw and time the results of smoothed frames, or of all; none before their numbers are reserved."""
        assert self.crowd is not None
        self._keep_numbers()
        for result in self.crowd.tell(all_):
            tag = result.tag
            assert isinstance(tag, _Tag)
            in_space = self.space.lift(result, tag.segment.size_px) if self.space is not None else {}
            delay_s = time.monotonic() - tag.received.received_s
            if self.jsonl is not None:
                facts = {
                    "segment": tag.segment.folder.path.name,
                    "frame": tag.frame,
                    "time_s": round(result.time_s, 6),
                    "wall": iso(tag.received.wall_s),
                    "latency_s": round(delay_s, 4),
                }
                self.jsonl.frame(facts, result.people, in_space)
            self.ledger.told(delay_s)
            tag.segment.told(tag.frame, tag.image, result.people, delay_s)

    # --- segments ----------------------------------------------------------------------------------------------------

    def _roll(self) -> None:
        """Close the open segment and start making its tables in a process beside the stream."""
        if self.segment is None or self.crowd is None:
            return
        self._tell(all_=True)
        segment, self.segment = self.segment, None
        segment.close(self.crowd.names(), self.eyes, self._counts_of_segment())
        self._closed = segment
        self.finishers.add(segment.folder.path)

    def _counts_of_segment(self) -> dict[str, Any]:
        now, then = self.ledger.counts(), self._segment_counts
        reasons = {k: n - then["dropped_by_reason"].get(k, 0) for k, n in now["dropped_by_reason"].items()}
        return {
            "processed": now["processed"] - then["processed"],
            "dropped_meanwhile": {k: n for k, n in reasons.items() if n},
        }

    def _housekeeping(self) -> None:
        now = time.monotonic()
        segment, live = self.segment, self.config.live
        if segment is not None and self.crowd is not None and segment.unflushed:
            due = now - self._flushed >= live.part_s or segment.unflushed >= self.config.observe.chunk_frames
            if due:
                self._flushed = now
                segment.flush(self.crowd.names(), self.eyes)
                self._write_manifest()
        self.finishers.poll()
        if now - self._told >= TELL_S:
            self.say(self._line(now - self._told))
            self._told = now

    def _line(self, seconds: float) -> str:
        """The line of progress."""
        books, recent = self.ledger.counts(), self.ledger.recent
        now = (books["received"], books["processed"], books["dropped"])
        came, done, lost = (a - b for a, b in zip(now, self._before, strict=True))
        self._before, self.ledger.recent = now, Delays()
        median, p95 = recent.quantile(0.5), recent.quantile(0.95)
        delay = f", latency {median:.2f} s, 95 % below {p95:.2f}" if median is not None and p95 is not None else ""
        people = self.crowd.present if self.crowd is not None else 0
        return (
            f"live: {came / seconds:.1f} frames/s received, {done / seconds:.1f} processed,"
            f" {counted(people, 'person', 'people')}{delay};"
            f" {lost} dropped, {books['dropped']} of {books['received']} so far"
        )

    def _keep_numbers(self) -> None:
        """Reserve the numbers of all people in run.json, before they are reported or stored."""
        assert self.crowd is not None
        if self.crowd.next_person > self._kept_below:
            self._write_manifest()

    def _write_manifest(self) -> None:
        """Write run.json. Its ``next_person`` includes the reserved numbers during the run, and is exact at the end."""
        crowd, going_on = self.crowd, self.session["end"] == "running"
        below = crowd.next_person if crowd is not None else self.folder.next_person
        below += AHEAD if going_on and crowd is not None else 0
        facts = {
            "source": self.source.shown,
            "wall_start": iso(self.receiver.wall_start) if self.receiver.wall_start else None,
            "next_person": below,
            "clock_jumps": self.receiver.clock.jumps,
        }
        self.folder.write(self.ledger, self.session, facts, self.config)
        self._kept_below = below
