"""A thread that receives and decodes a stream, connects again when it is cut, and keeps the newest frames."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections import deque
from collections.abc import Callable
from fractions import Fraction
from typing import NamedTuple

import av

from pipeline.core.errors import PoselineError
from pipeline.core.settings import LiveConfig
from pipeline.live import ledger as books
from pipeline.live.clock import Clock
from pipeline.live.ledger import Ledger
from pipeline.live.source import LiveSource, Pace, open_source, reason_of, untimed
from pipeline.live.whole import WholePictures
from pipeline.video.media import video_stream
from pipeline.video.shape import orientation, pixel_aspect, square_size

KEY_PACKETS = 250  # after so many packets without a key frame decoding starts anyway
DAMAGED_MOST = 50  # damaged pictures in a row that are dropped; later ones are kept
PENDING = 256  # packets whose time of arrival is remembered


class Received(NamedTuple):
    """One decoded picture."""

    picture: av.VideoFrame
    size_px: tuple[int, int]  # (w, h) upright
    pixel_aspect: Fraction  # width of a stored pixel by its height
    rotation_deg: int  # clockwise turn that makes it upright,
    mirrored: bool  # and whether it is then mirrored
    time_s: float  # of the run
    received_s: float  # monotonic
    wall_s: float  # Unix time at which the picture was taken, as far as known


class Receiver:
    """Receives ``source`` from `start` to `stop`. ``say`` gets lines for the user, ``note`` events (what, facts)."""

    def __init__(
        self,
        source: LiveSource,
        config: LiveConfig,
        ledger: Ledger,
        say: Callable[[str], None],
        note: Callable[[str, dict], None],
        now: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        deinterlace: str = "auto",
    ) -> None:
        self.source, self.config, self.ledger = source, config, ledger
        self.clock = Clock(config.jump_s)
        self.error: PoselineError | None = None
        self.wall_start = 0.0  # Unix time of the first frame
        self._say, self._note, self._now, self._wall = say, note, now, wall
        self._queue: deque[Received] = deque()
        self._ready = threading.Condition()
        self._stopped, self._connected = threading.Event(), threading.Event()
        self._ended = False
        self._first_s: float | None = None  # monotonic arrival of the first frame
        self._last: Received | None = None
        self._why = "no frames"
        self._wall_offset: float | None = None
        self.pixel_aspect = Fraction(1)  # of the stream that is received
        self.deinterlace = deinterlace  # as `WholePictures` takes it
        self._told_interlaced = False
        self._thread = threading.Thread(target=self._work, name="receive", daemon=True)

    def start(self, stopping: Callable[[], bool] = lambda: False) -> None:
        """Receive from now on; returns when connected, or when ``stopping`` says so.

        Raises PoselineError when the source is not there.
        """
        self._thread.start()
        while not self._connected.wait(0.05) and self._thread.is_alive() and not stopping():
            pass
        if self.error is not None and not self._connected.is_set():
            raise self.error

    def stop(self) -> None:
        """Stop receiving; waiting frames are dropped with the reason `STOPPED`."""
        self._stopped.set()
        self._thread.join(self.config.timeout_s + 1)
        with self._ready:
            self.ledger.drop(books.STOPPED, len(self._queue))
            self._queue.clear()
            self._ended = True

    @property
    def ended(self) -> bool:
        """Whether no frame waits and none will come."""
        with self._ready:
            return self._ended and not self._queue

    def take(self, frames: int, timeout_s: float) -> list[Received]:
        """Up to ``frames`` waiting frames, evenly spread up to the newest; the other waiting frames are dropped.

        Waits until so many frames are there, or for ``timeout_s`` seconds; the frames are all of one size.
        """
        end = self._now() + timeout_s
        with self._ready:
            while len(self._queue) < frames and not self._ended and (left := end - self._now()) > 0:
                self._ready.wait(left)
            waiting = list(self._queue)
            sizes = [w.size_px for w in waiting]
            waiting = waiting[: next((i for i, s in enumerate(sizes) if s != sizes[0]), len(waiting))]
            taken = [waiting[i] for i in spread(len(waiting), frames)]
            for _ in waiting:
                self._queue.popleft()
            self.ledger.drop(books.BEHIND, len(waiting) - len(taken))
            return taken

    # --- the thread --------------------------------------------------------------------------------------------------

    def _first_connection(self) -> av.container.InputContainer | None:
        end = self._now() + self.config.wait_s
        while True:
            try:
                container = open_source(self.source, self.config)
                self._connected.set()
                return container
            except (av.FFmpegError, OSError, ValueError) as error:
                if self._now() >= end:
                    raise PoselineError(
                        f"{self.source.shown}: cannot be received ({reason_of(error)}); check the address, or let"
                        " --set live.wait_s=60 wait for it"
                    ) from error
            if self._stopped.wait(min(self.config.retry_s, max(end - self._now(), 0.01))):
                return None

    def _work(self) -> None:
        try:
            container = self._first_connection()
            while not self._stopped.is_set() and container is not None:
                self._why = self._receive(container)
                if self.source.ends or self._stopped.is_set():
                    break
                self._say(f"{self.source.shown}: cut ({self._why})")
                self._note("cut", {"why": self._why})
                container = self._connect_again()
        except PoselineError as error:
            self.error = error
        except BaseException as error:  # the main thread raises it
            self.error = PoselineError(f"{self.source.shown}: receiving failed: {type(error).__name__}: {error}")
        finally:
            with self._ready:
                self._ended = True
                self._ready.notify()

    def _connect_again(self) -> av.container.InputContainer | None:
        """The next connection, after pauses that grow, with jitter so that many clients do not call at once."""
        since, pause = self._now(), self.config.retry_s
        while not self._stopped.wait(pause * random.uniform(0.5, 1.0)):
            try:
                container = open_source(self.source, self.config)
            except (av.FFmpegError, OSError, ValueError) as error:
                self.ledger.failed += 1
                away = self._now() - since
                if self.config.give_up_s and away > self.config.give_up_s:
                    raise PoselineError(
                        f"{self.source.shown}: away for {away:.0f} s ({reason_of(error)}), more than live.give_up_s;"
                        " all that came before is whole"
                    ) from error
                pause = min(1.5 * pause, self.config.retry_most_s)
                continue
            self._say(f"{self.source.shown}: connected again after {self._now() - since:.1f} s")
            self._note("connected", {"after_s": round(self._now() - since, 3)})
            return container
        return None

    def _receive(self, container: av.container.InputContainer) -> str:
        """Receive all packets of one connection; returns the reason of its end."""
        self.ledger.connections += 1
        self.clock.connected()
        try:
            with contextlib.closing(container):
                stream = video_stream(container)
                if stream is None:
                    raise PoselineError(f"{self.source.shown}: has no video; give a stream with pictures")
                self.pixel_aspect = pixel_aspect(stream)
                _Connection(self, container, stream).run()
            return "ended"
        except (av.FFmpegError, OSError) as error:
            return reason_of(error)

    def accept(self, picture: av.VideoFrame, pts_s: float | None, received: float) -> None:
        """Queue a decoded picture, which is already counted as received."""
        if self._first_s is None:
            self._first_s, self.wall_start = received, self._wall() - (self._now() - received)
        jumps = self.clock.jumps
        time_s = self.clock.stamp(pts_s, received - self._first_s)
        if self.clock.jumps > jumps:
            self._note("clock_jump", {"time_s": round(time_s, 3)})
        self._watch_wall(received, time_s)
        wall_s = self._wall() - (self._now() - received) - (received - self._first_s - time_s)
        turn, mirrored = orientation(picture)
        size = square_size((picture.width, picture.height), self.pixel_aspect)
        size = size if turn % 180 == 0 else size[::-1]
        frame = Received(picture, size, self.pixel_aspect, turn, mirrored, time_s, received, wall_s)
        if self._last is not None and time_s - self._last.time_s > self.config.gap_s:
            self._note("gap", self.ledger.gap(self._last.time_s, time_s, self.wall_start, self._why))
        self._why, self._last = "no frames", frame._replace(picture=None)  # type: ignore[arg-type]
        with self._ready:
            if self._stopped.is_set():
                self.ledger.drop(books.STOPPED)
                return
            self._queue.append(frame)
            if len(self._queue) > self.config.queue_frames:
                self._queue.popleft()
                self.ledger.drop(books.BEHIND)
            self._ready.notify()

    def tell_interlaced(self) -> None:
        """Tell the user once that pictures are deinterlaced."""
        if not self._told_interlaced:
            self._say(f"{self.source.shown}: its frames are interlaced; deinterlaced by bwdif, a frame late")
        self._told_interlaced = True

    def _watch_wall(self, received: float, time_s: float) -> None:
        offset = self._wall() - self._now()
        if self._wall_offset is not None and abs(offset - self._wall_offset) > 0.5:
            self._note("wall_clock_set", {"time_s": round(time_s, 3), "by_s": round(offset - self._wall_offset, 3)})
        self._wall_offset = offset

    @property
    def stopped(self) -> threading.Event:
        return self._stopped


class _Connection:
    """Decodes the packets of one connection to pictures."""

    def __init__(self, receiver: Receiver, container: av.container.InputContainer, stream: av.VideoStream) -> None:
        self._r, self._container, self._stream = receiver, container, stream
        self._untimed = untimed(container)
        self._arrival: dict[int, float] = {}
        self._keyed, self._packets, self._damaged = False, 0, 0
        self._whole, self._base = WholePictures(receiver.deinterlace), stream.time_base
        self._pace = Pace(receiver._now, receiver.stopped) if receiver.source.kind == "file" else None

    def run(self) -> None:
        try:
            self._run()
        finally:
            self._accept(self._whole.rest(), self._base)

    def _run(self) -> None:
        stream, ledger = self._stream, self._r.ledger
        stream.codec_context.thread_type = "SLICE"  # threads by frames would delay frames
        for packet in self._container.demux(stream):
            if self._r.stopped.is_set():
                return
            received = self._r._now()
            if packet.size == 0:  # the end: flush the decoder
                self._decode(packet, received)
                continue
            self._packets += 1
            self._keyed |= packet.is_keyframe or self._packets > KEY_PACKETS
            if not self._keyed:
                ledger.receive()
                ledger.drop(books.BEFORE_KEY)
                continue
            if packet.pts is not None:
                self._arrival[packet.pts] = received
                if len(self._arrival) > PENDING:
                    del self._arrival[next(iter(self._arrival))]
            self._decode(packet, received)

    def _decode(self, packet: av.Packet, received: float) -> None:
        ledger = self._r.ledger
        try:
            pictures = packet.decode()
        except av.error.InvalidDataError:
            ledger.receive()
            ledger.drop(books.UNDECODABLE)
            return
        for picture in pictures:
            ledger.receive()
            self._damaged = self._damaged + 1 if picture.is_corrupt else 0
            if 0 < self._damaged <= DAMAGED_MOST:
                ledger.drop(books.DAMAGED)
                continue
            base = picture.time_base or self._stream.time_base
            arrived = received if picture.pts is None else self._arrival.pop(picture.pts, received)
            before = self._whole.works
            self._accept(self._whole(picture, arrived), base)
            if self._whole.works and not before:
                self._r.tell_interlaced()

    def _accept(self, pictures: list[tuple[av.VideoFrame, int | None, float]], base: Fraction | None) -> None:
        """Hand on whole pictures with their pts in units of ``base`` and the times at which they came."""
        self._base = base
        for picture, pts, received in pictures:
            pts_s = None if pts is None or self._untimed or base is None else float(pts * base)
            if self._pace is not None and pts_s is not None:
                self._pace.wait(pts_s)
                received = self._r._now()
            self._r.accept(picture, pts_s, received)


def spread(waiting: int, wanted: int) -> list[int]:
    """Which of ``waiting`` frames in a row to take: ``wanted`` at most, evenly apart, the last one among them."""
    if waiting <= wanted:
        return list(range(waiting))
    return [waiting - 1 - i * waiting // wanted for i in reversed(range(wanted))]
