"""Where a live stream comes from: addresses, and how FFmpeg opens them."""

from __future__ import annotations

import re
import stat
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av

from pipeline.core.config import Config
from pipeline.core.errors import PoselineError
from pipeline.core.names import shown_address
from pipeline.core.settings import LiveConfig
from pipeline.video.media import ANY_METADATA

NETWORK = ("rtsp", "rtsps", "http", "https", "udp", "rtp", "tcp", "srt", "rtmp", "rtmps")
# Half a second of packets to learn what they hold. Not fflags=nobuffer: FFmpeg then throws those packets away.
_PROMPT = {"analyzeduration": "500000"}
# Options of FFmpeg that hold no secret; others may, such as headers, cookies and the address of a proxy.
_HARMLESS = frozenset(
    (
        *("rtsp_transport", "rtsp_flags", "listen", "listen_timeout", "timeout", "stimeout", "rw_timeout"),
        *("analyzeduration", "probesize", "fflags", "flags", "buffer_size", "max_delay", "reorder_queue_size"),
        *("framerate", "video_size", "input_format", "pixel_format"),
    )
)
_UNTIMED = frozenset({"mpjpeg", "mjpeg", "image2pipe", "jpeg_pipe", "h264", "hevc", "m4v"})


@dataclass(frozen=True)
class LiveSource:
    """One address of a live stream."""

    given: str  # as the user wrote it, with its secrets: never shown, never stored
    kind: str  # network, camera, pipe or file
    url: str  # what FFmpeg opens
    format: str | None = None

    @property
    def shown(self) -> str:
        """The address without user name, password and query, wherever in it they stand."""
        return shown_address(self.given) if self.kind == "network" else self.given

    @property
    def name(self) -> str:
        """A folder name."""
        if self.kind == "pipe":
            return "stdin" if self.given == "-" else Path(self.given).stem
        if self.kind == "file":
            return Path(self.given).stem
        text = self.shown.partition("://")[2] if self.kind == "network" else self.url
        return re.sub(r"[^A-Za-z0-9.-]+", "_", text).strip("_.-") or "live"

    @property
    def ends(self) -> bool:
        """Whether an end of the data is the end of the source, not a cut connection."""
        return self.kind in ("pipe", "file")


def parse_source(text: str) -> LiveSource:
    """The source that a user's SOURCE names; PoselineError for a text that names none."""
    scheme = text.partition("://")[0].lower() if "://" in text else ""
    if scheme:
        if scheme not in NETWORK:
            raise PoselineError(f"{scheme}://…: unknown kind of stream; give one of {', '.join(NETWORK)}")
        return LiveSource(text, "network", text)
    if text == "-":
        return LiveSource(text, "pipe", "pipe:0")
    if text.isdigit():
        text = f"/dev/video{text}"
    path = Path(text)
    if text.startswith("/dev/video"):
        if not path.exists():
            raise PoselineError(f"{text}: there is no such camera; cameras are /dev/video0, /dev/video1 …")
        return LiveSource(text, "camera", text, "v4l2")
    if not path.exists():
        raise PoselineError(f"{text}: no such file; give an address such as rtsp://HOST/PATH, a camera, a file or -")
    if path.is_dir():
        raise PoselineError(f"{text}: is a folder; for folders of videos or images use poseline run")
    return LiveSource(text, "pipe" if stat.S_ISFIFO(path.stat().st_mode) else "file", text)


def open_source(source: LiveSource, config: LiveConfig) -> av.container.InputContainer:
    """Open the stream; an FFmpegError or OSError when it cannot be, TimeoutError after ``config.timeout_s``."""
    options: dict[str, str] = {}
    timeout: Any = None
    if source.kind == "network":
        timeout = (config.timeout_s, config.timeout_s)
        options = dict(_PROMPT)
        if source.url.lower().startswith("rtsp"):
            options["rtsp_transport"] = "tcp"
    options |= config.options
    if "listen" in options.get("rtsp_flags", "") or "listen" in options:  # the sender connects to us
        wait_s = max(config.wait_s, config.timeout_s)
        timeout = (wait_s, config.timeout_s)
        if "rtsp_flags" in options:
            options.setdefault("listen_timeout", str(round(wait_s + 1)))  # FFmpeg refuses its own default
    return av.open(source.url, format=source.format, options=options, timeout=timeout, **ANY_METADATA)


def without_secrets(config: Config) -> Config:
    """The settings as they may be stored: values of ``live.options`` that may hold a secret are left out."""
    options = {name: value if name in _HARMLESS else "…" for name, value in config.live.options.items()}
    return config.model_copy(update={"live": config.live.model_copy(update={"options": options})})


def reason_of(error: BaseException) -> str:
    """Why a connection failed or ended, in a few words, without the address."""
    if isinstance(error, av.error.ExitError | TimeoutError):
        return "no answer in time"
    if isinstance(error, av.error.ProtocolNotFoundError):
        return "this FFmpeg knows no such protocol"
    return str(getattr(error, "strerror", None) or type(error).__name__)


def untimed(container: av.container.InputContainer) -> bool:
    """Whether the packets' times are invented, so that only their arrival times are usable."""
    return bool(_UNTIMED & set(container.format.name.split(",")))


class Pace:
    """Plays a file at its own pace."""

    def __init__(self, now: Callable[[], float], stopped: threading.Event) -> None:
        self._now, self._stopped = now, stopped
        self._start: float | None = None

    def wait(self, pts_s: float) -> None:
        """Wait until the frame at ``pts_s`` is due."""
        if self._start is None:
            self._start = self._now() - pts_s
        self._stopped.wait(max(self._start + pts_s - self._now(), 0.0))
