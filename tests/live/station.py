"""A stream on 127.0.0.1 for tests: a clip over and over as MPEG-TS or motion JPEG by HTTP, that can be cut."""

from __future__ import annotations

import contextlib
import io
import queue
import sys
import threading
import time
from collections.abc import Iterator
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import av
import cv2
import numpy as np

SIZE = (192, 144)


def figure(share: float, size_px: tuple[int, int] = SIZE) -> np.ndarray:
    """(h, w, 3) u8: a white block, as tall as half of the picture, at a ``share`` of its way to and fro."""
    width, height = size_px
    image = np.full((height, width, 3), 40, np.uint8)
    x = round((0.5 + 0.1 * np.sin(2 * np.pi * share)) * width)
    image[height // 4 : 3 * height // 4, x - width // 16 : x + width // 16] = 230
    return image


def write_clip(path: Path, frames: int = 100, fps: int = 25, size_px: tuple[int, int] = SIZE) -> Path:
    """The figure as H.264, a key frame each half second, no pictures held back."""
    return encode(path, (figure(i / frames, size_px) for i in range(frames)), fps, size_px)


def encode(path: Path, images: Iterator[np.ndarray], fps: Fraction | int, size_px: tuple[int, int]) -> Path:
    options = {"g": str(max(round(fps / 2), 1)), "preset": "ultrafast", "tune": "zerolatency", "crf": "23"}
    with av.open(str(path), "w", format="mpegts") as out:
        stream = out.add_stream("libx264", rate=fps, options=options)
        stream.width, stream.height, stream.pix_fmt = *size_px, "yuv420p"
        for image in images:
            out.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        out.mux(stream.encode(None))
    return path


class Station:
    """Plays ``clip`` in a loop at ``speed`` times its own pace to whoever connects, while it is a context manager."""

    def __init__(self, clip: Path, speed: float = 1.0) -> None:
        self.clip, self.speed = clip, speed
        self.sent = self.delivered = 0  # pictures; those that a client was there for
        self.on = True
        self._clients: list[queue.Queue[bytes | None]] = []
        self._jpegs: list[queue.Queue[bytes | None]] = []
        self._over = threading.Event()
        station = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                station._serve(self)

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/live.ts"
        self.mjpeg = f"http://127.0.0.1:{self._server.server_port}/live.mjpeg"
        self._threads = [
            threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True),
            threading.Thread(target=self._play, daemon=True),
        ]

    def __enter__(self) -> Station:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self.cut()
        self._server.shutdown()
        self._server.server_close()

    def cut(self) -> None:
        """Close all connections, and take no new ones until `resume`."""
        self.on = False
        for client in [*self._clients, *self._jpegs]:
            client.put(None)

    def resume(self) -> None:
        self.on = True

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        if not self.on:
            handler.send_error(503)
            return
        jpeg = handler.path.endswith("mjpeg")
        mine: queue.Queue[bytes | None] = queue.Queue()
        clients = self._jpegs if jpeg else self._clients
        clients.append(mine)
        handler.send_response(200)
        handler.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame" if jpeg else "video/mp2t")
        handler.end_headers()
        with contextlib.suppress(OSError):
            while (data := mine.get()) is not None:
                handler.wfile.write(data)
                handler.wfile.flush()
        clients.remove(mine)
        handler.close_connection = True

    def _play(self) -> None:
        sink = _Sink()
        start, shift = time.monotonic(), Fraction(0)
        with av.open(sink, "w", format="mpegts", options={"flush_packets": "1"}) as out:
            target = None
            while not self._over.is_set():
                last = shift
                with av.open(str(self.clip)) as container:
                    stream = container.streams.video[0]
                    if target is None:
                        target = out.add_stream_from_template(stream)
                    step, first = 1 / Fraction(stream.average_rate), None
                    for packet in container.demux(stream):
                        if packet.dts is None or self._over.is_set():
                            continue
                        first = packet.dts if first is None else first
                        last = shift + (packet.dts - first) * stream.time_base
                        pause = start + float(last) / self.speed - time.monotonic()
                        if pause > 0:
                            time.sleep(pause)
                        if self._jpegs:
                            self._send_jpeg(packet)
                        packet.pts = packet.dts = round(last / stream.time_base)
                        packet.stream = target
                        out.mux(packet)
                        self.sent += 1
                        self.delivered += bool(self._clients)
                        data = sink.taken()
                        for client in list(self._clients):
                            client.put(data)
                shift = last + step

    def _send_jpeg(self, packet: av.Packet) -> None:
        for picture in packet.decode():
            data = cv2.imencode(".jpg", picture.to_ndarray(format="bgr24"))[1].tobytes()
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n".encode()
            for client in list(self._jpegs):
                client.put(head + data + b"\r\n")


class _Sink(io.RawIOBase):
    """What the muxer writes, until it is taken."""

    def __init__(self) -> None:
        self._data = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self._data += bytes(data)
        return len(data)

    def taken(self) -> bytes:
        data = bytes(self._data)
        self._data.clear()
        return data


def push(address: str, clip: Path) -> None:
    """Send the clip to a listener over and over, calling until it answers, at its own pace.

    A process of its own: FFmpeg's handshake holds all threads of Python.
    """
    form = "rtsp" if address.startswith("rtsp") else "mpegts"
    options = {"rtsp_transport": "tcp"} if form == "rtsp" else {"pkt_size": "1316"}
    while True:
        with (
            contextlib.suppress(av.FFmpegError, OSError),
            av.open(str(clip)) as container,
            av.open(address, "w", format=form, options=options) as out,
        ):
            stream = container.streams.video[0]
            target = out.add_stream_from_template(stream)
            for packet in container.demux(stream):
                if packet.dts is not None:
                    packet.stream = target
                    out.mux(packet)
                    time.sleep(0.03)
        time.sleep(0.1)


if __name__ == "__main__":
    push(sys.argv[1], Path(sys.argv[2]))
