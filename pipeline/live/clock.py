"""One clock for a stream that is cut, jumps, or runs fast or slow: seconds since the first frame, never back.

Frames keep the time steps of the stream itself, so that network jitter is not taken for motion. The stream's clock
follows this machine's by steps that are a hundredth longer or shorter: frame times may not run ahead of the arrival,
and a delay that every frame of `WINDOW_S` had is removed. A clock that is far ahead is stopped at once.
"""

from __future__ import annotations

TICK_S = 1 / 90_000  # the least step
AHEAD_S = 0.1  # frame times may lie so far after the arrival; beyond it steps are shortened
FAR_AHEAD_S = 0.5  # beyond this lead the clock stops
BEHIND_S = 0.1  # a least delay over a window of up to this is not corrected
WINDOW_S = 10.0
SLEW = 0.01  # share of a step by which it is lengthened or shortened


class Clock:
    """Maps a stream's pts to seconds of the run. ``jump_s``: a stream further ahead of its arrival has jumped."""

    def __init__(self, jump_s: float) -> None:
        self.jumps = 0
        self._jump_s = jump_s
        self._offset_s: float | None = None
        self._pts_s = 0.0
        self._received_s = 0.0
        self._last_s = -TICK_S
        self._window: tuple[float, float] = (0.0, float("inf"))  # its start, the least delay in it
        self._behind_s = 0.0

    def connected(self) -> None:
        """A new connection: its pts have an origin of their own."""
        self._offset_s = None

    def stamp(self, pts_s: float | None, received_s: float) -> float:
        """Time of the next frame in s, after that of the one before.

        Args:
            pts_s: presentation time on the stream's clock; None where it has none.
            received_s: monotonic seconds of this machine since the run's first frame arrived.
        """
        time_s = received_s if pts_s is None else self._mapped(pts_s, received_s)
        self._last_s = max(time_s, self._last_s + TICK_S)
        self._received_s = received_s
        return self._last_s

    def _mapped(self, pts_s: float, received_s: float) -> float:
        step = pts_s - self._pts_s
        if self._offset_s is not None and (step < 0 or step - (received_s - self._received_s) > self._jump_s):
            self.jumps += 1
            self._offset_s = None
        self._pts_s = pts_s
        if self._offset_s is None:
            self._offset_s = max(received_s, self._last_s + TICK_S) - pts_s
            self._window, self._behind_s = (received_s, float("inf")), 0.0
        else:
            add = min(self._behind_s, SLEW * step)
            self._offset_s, self._behind_s = self._offset_s + add, self._behind_s - add
        time_s = pts_s + self._offset_s
        back = 0.0
        if time_s > received_s + FAR_AHEAD_S:  # a backlog sent at once
            back = time_s - max(received_s, self._last_s + TICK_S)
        elif time_s > received_s + AHEAD_S:  # a clock that is fast
            back = SLEW * max(step, 0.0)
        self._offset_s, time_s = self._offset_s - back, time_s - back
        self._watch(received_s, received_s - time_s)
        return time_s

    def _watch(self, received_s: float, delay_s: float) -> None:
        start, least = self._window
        least = min(least, delay_s)
        if received_s - start >= WINDOW_S:
            self._behind_s = least if least > BEHIND_S else 0.0
            start, least = received_s, float("inf")
        self._window = start, least
