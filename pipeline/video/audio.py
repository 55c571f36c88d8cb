"""Passes a source's sound on while pictures are written: copied where the output may hold the codec, else encoded."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av

from pipeline.video.containers import Container
from pipeline.video.media import open_media


class AudioCopy:
    """Moves the audio of ``path`` up to ``stop_s`` (None: its end) into ``out``; nothing where it has none."""

    def __init__(
        self, path: Path, out: av.container.OutputContainer, container: Container, stop_s: float | None
    ) -> None:
        self._out, self._container, self._stop_s = out, container, stop_s
        self._origin_s: Fraction | None = None  # time of the source's clock that is 0 in the output
        self._audio: Iterator[av.Packet] = iter(())
        self._waiting: av.Packet | None = None
        self._source: av.container.InputContainer | None = open_media(path)
        try:
            self._audio = self._packets(self._source)
        except BaseException:
            self.close()
            raise

    def copy(self, origin_s: Fraction, until_s: Fraction | None) -> None:
        """Pass on the audio up to ``until_s`` of the source's clock (None: all), so that few packets wait.

        The time ``origin_s`` of the source's clock is 0 in the output; all calls must give the same time.
        """
        self._origin_s = origin_s
        while (packet := self._waiting or next(self._audio, None)) is not None:
            self._waiting = packet
            if until_s is not None:
                assert packet.pts is not None  # copied packets have a pts, encoders set it
                if packet.pts * packet.time_base + origin_s > until_s:
                    return
            self._out.mux(packet)
            self._waiting = None

    def close(self) -> None:
        self._audio, self._waiting = iter(()), None
        if self._source is not None:
            self._source.close()
            self._source = None

    def _packets(self, container: av.container.InputContainer) -> Iterator[av.Packet]:
        source = container.streams.best("audio")
        # A stream that FFmpeg has no decoder for has no context, whatever the stubs say: the stream is left out.
        if not isinstance(source, av.AudioStream) or source.codec_context is None:
            self.close()
            return iter(())
        if source.codec_context.name in self._container.copied:
            return self._copied(source, self._out.add_stream_from_template(source))
        rate = source.codec_context.sample_rate
        rate = rate if rate in self._container.rates else 48000
        encoded = self._out.add_stream(self._container.audio, rate=rate, layout=source.codec_context.layout.name)
        assert isinstance(encoded, av.AudioStream)
        return self._encoded(source, encoded)

    def _inside(self, start_s: Fraction, stop_s: Fraction) -> bool:
        assert self._origin_s is not None  # audio waits for the first picture
        return stop_s > self._origin_s and (self._stop_s is None or start_s < self._stop_s)

    def _copied(self, source: av.AudioStream, target: av.AudioStream) -> Iterator[av.Packet]:
        """The source's packets on the output's clock."""
        assert self._source is not None
        assert source.time_base is not None  # every demuxed stream has one
        assert self._origin_s is not None
        shift = -round(self._origin_s / source.time_base)
        for packet in self._source.demux(source):
            if packet.dts is None or packet.pts is None:
                continue
            # One packet more at the start: a decoder needs it for the next one, and the edit list hides it.
            end = packet.pts + 2 * (packet.duration or 1)
            if not self._inside(packet.pts * source.time_base, end * source.time_base):
                continue
            packet.pts, packet.dts, packet.stream = packet.pts + shift, packet.dts + shift, target
            yield packet

    def _encoded(self, source: av.AudioStream, target: av.AudioStream) -> Iterator[av.Packet]:
        """The source's sound, encoded again, as packets on the output's clock."""
        context = target.codec_context
        form = "fltp" if self._container.audio == "aac" else "flt"
        resampler = av.AudioResampler(
            format=form, layout=context.layout, rate=context.sample_rate, frame_size=self._container.samples
        )
        assert self._source is not None
        tick = Fraction(1, context.sample_rate)
        assert self._origin_s is not None
        shift = round(self._origin_s / tick)
        for frame in self._source.decode(source):
            length = Fraction(frame.samples, frame.sample_rate)
            if frame.pts is None:
                continue
            assert frame.time_base is not None  # decoders set it with the pts
            at = frame.pts * frame.time_base
            if not self._inside(at, at + length):
                continue
            frame.pts, frame.time_base = round(at / tick) - shift, tick
            for part in resampler.resample(frame):
                yield from target.encode(part)
        for part in resampler.resample(None):
            yield from target.encode(part)
        yield from target.encode(None)
