"""Videos whose packets do not tell the frames: they are decoded once, and every reader gives the pictures seen."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest

from pipeline.core.settings import VideoConfig
from pipeline.core.types import VideoInfo
from pipeline.store.folder import RunFolder
from pipeline.store.index import decoded_before, read_index, write_index
from pipeline.store.manifest import FORMAT_VERSION, Manifest, video_facts
from pipeline.video.decode import DECODERS, open_reader
from pipeline.video.index import index_video
from pipeline.video.packets import ASCENDING, bare_rate
from pipeline.video.seen import decode_all
from pipeline.video.sources import open_video
from tests.video.clips import B_FRAMES, Clip, number_of, write_clip

FRAMES = 40


def numbers(info: VideoInfo, decoder: str, start: int = 0, stop: int | None = None) -> list[int]:
    """The numbers in the pictures that a reader gives."""
    with open_reader(info, decoder) as reader:
        stop = len(info) if stop is None else stop
        found = [number_of(image) for part in reader.read(start, stop, 8) for image in part.image]
        assert not reader.warnings
    return found


def copied(source: Path, target: Path, packed: bool = False) -> Path:
    """The packets as stored, at equal steps, as programs write that know of no presentation times.

    Args:
        packed: put each B picture behind its P picture, and an empty picture in its place, as XviD did.
    """
    with av.open(str(source)) as container, av.open(str(target), "w") as out:
        stream = container.streams.video[0]
        copy = out.add_stream_from_template(stream)
        data = [(bytes(p), p.is_keyframe) for p in container.demux(stream) if p.size]
        if packed:
            data = _packed(data)
        for i, (content, is_key) in enumerate(data):
            packet = av.Packet(content)
            packet.pts = packet.dts = i
            packet.duration, packet.time_base, packet.stream = 1, Fraction(1, 30), copy
            packet.is_keyframe = is_key
            out.mux(packet)
    return target


def _packed(data: list[tuple[bytes, bool]]) -> list[tuple[bytes, bool]]:
    kind = [content[content.index(b"\0\0\1\xb6") + 4] >> 6 for content, _ in data]  # 0: I, 1: P, 2: B
    nothing = b"\0\0\1\xb6\x50\x0f"
    out: list[tuple[bytes, bool]] = []
    for i, (content, is_key) in enumerate(data):
        if kind[i] == 2:
            out.append((nothing, False))
        elif i + 1 < len(data) and kind[i + 1] == 2:
            out.append((content + data[i + 1][0], is_key))
        else:
            start = content.index(b"\0\0\1\xb6")  # XviD says in each key picture that it packs
            out.append((content[:start] + b"\0\0\1\xb2DivX503b1393p" + content[start:], is_key))
    return out


def h264_avi(folder: Path) -> Path:
    return write_clip(Clip("b.avi", options=B_FRAMES), folder)


def h264_mp4(folder: Path) -> Path:
    return copied(h264_avi(folder), folder / "from_avi.mp4")


def packed_avi(folder: Path) -> Path:
    source = write_clip(Clip("asp.avi", codec="mpeg4", options={"g": "10", "bf": "1", "b_strategy": "0"}), folder)
    return copied(source, folder / "packed.avi", packed=True)


def packed_mp4(folder: Path) -> Path:
    return copied(packed_avi(folder), folder / "packed.mp4")


def raw(folder: Path) -> Path:
    return write_clip(Clip("b.h264", options=B_FRAMES), folder)


@pytest.mark.parametrize("make", [h264_avi, h264_mp4, packed_avi, packed_mp4, raw], ids=lambda make: make.__name__)
def test_every_picture_once_in_its_order_whatever_the_packets_say(make, tmp_path):
    path = make(tmp_path)
    info = index_video(path)
    assert info.seen is not None
    assert len(info) == FRAMES
    assert len(set(np.diff(info.pts).tolist())) == 1
    assert sum("decoded once" in line for line in info.warnings) == len(info.warnings) == 1
    for decoder in DECODERS:
        assert numbers(info, decoder) == list(range(FRAMES))
        for start, stop in [(33, 38), (12, 14), (9, 21), (0, 3), (19, 20)]:
            assert numbers(info, decoder, start, stop) == list(range(start, stop))


def test_chunks_start_at_key_pictures_and_not_at_the_start_of_the_file(tmp_path, monkeypatch):
    info = index_video(raw(tmp_path))
    seeks = []
    real = av.container.InputContainer.seek
    monkeypatch.setattr(
        "pipeline.video.sources.seek_seen",
        lambda container, stream, seen, row: (
            seeks.append(row),
            real(container, int(seen.pos[row]), unsupported_byte_offset=True),
        ),
    )
    with open_reader(info, "pyav") as reader:
        assert [number_of(i) for part in reader.read(33, 36, 8) for i in part.image] == [33, 34, 35]
    assert seeks == [30]


def test_what_was_seen_is_stored_with_the_run(tmp_path):
    info = index_video(h264_avi(tmp_path))
    folder = RunFolder(tmp_path / "run")
    folder.observations.mkdir(parents=True)
    write_index(folder, info)
    from pipeline.store.index import _seen, _table

    seen = _seen(_table(folder))
    assert info.seen is not None
    for name in ("packet", "pos", "size", "stamp"):
        assert getattr(seen, name).tolist() == getattr(info.seen, name).tolist()
    assert read_index(folder)[0].tolist() == info.pts.tolist()


def test_sound_streams_stay_with_their_packets(tmp_path):
    assert index_video(write_clip(Clip("a.mp4", options=B_FRAMES), tmp_path)).seen is None
    assert index_video(write_clip(Clip("a.mkv", options=B_FRAMES), tmp_path)).seen is None
    still = write_clip(Clip("all_shown_as_stored.mp4", options={"g": "10", "bf": "0", "preset": "medium"}), tmp_path)
    assert index_video(still).seen is None


@pytest.mark.parametrize(("codec", "name"), [("libx264", "a.h264"), ("libx265", "a.hevc")])
def test_a_bare_stream_has_its_own_rate_or_the_users(codec, name, tmp_path):
    options = {"g": "10", "preset": "ultrafast"} | (
        {"x265-params": "log-level=none:keyint=10"} if "hevc" in name else {}
    )
    path = write_clip(Clip(name, codec=codec, time_base=Fraction(1, 50), options=options), tmp_path)
    info = index_video(path)
    assert info.fps == 50
    assert info.time_s.tolist() == [i / 50 for i in range(FRAMES)]
    assert numbers(info, "pyav", 25, 28) == [25, 26, 27]
    told = index_video(path, Fraction(60))
    assert told.fps == 60
    assert told.time_s[-1] == pytest.approx(39 / 60)
    assert len(told.warnings) == 1


def test_a_bare_stream_without_a_rate_says_so():
    silent = SimpleNamespace(guessed_rate=Fraction(25), base_rate=Fraction(1_200_000))
    rate, (line,) = bare_rate(Path("a.h264"), silent, None)
    assert rate == 25
    assert "--fps" in line
    assert bare_rate(Path("a.h264"), silent, Fraction(50)) == (50, [])


def test_a_format_that_does_not_seek_is_read_from_its_start(tmp_path, monkeypatch):
    info = index_video(write_clip(Clip("a.mp4", options=B_FRAMES), tmp_path))

    class Refusing:
        def __init__(self, real):
            self._real = real

        def __getattr__(self, name):
            return getattr(self._real, name)

        def seek(self, *args, **kwargs):
            raise av.error.PermissionError(1, "Operation not permitted")

    def opened(info):
        container, stream = open_video(info)
        return Refusing(container), stream

    monkeypatch.setattr("pipeline.video.sources.open_video", opened)
    assert numbers(info, "pyav", 33, 36) == [33, 34, 35]


STEP, GOP = 3000, {"g": "10", "bf": "2", "preset": "veryfast"}  # ticks of 1/90000 s at 30 frames/s
TS = Clip("one.ts", time_base=Fraction(1, 90000), pts=tuple(range(0, FRAMES * STEP, STEP)), options=GOP)
JOINED = {
    "again.ts": (TS, TS),
    "later_first.ts": (replace(TS, pts=tuple(700 * 90000 + t for t in TS.times())), TS),
    "leap.ts": (TS, replace(TS, pts=tuple(700 * 90000 + t for t in TS.times()))),
    "again.mpg": (Clip("one.mpg", codec="mpeg2video", options={"g": "10", "bf": "2"}),) * 2,
    "again.webm": (Clip("one.webm", codec="libvpx", options={"g": "10", "deadline": "realtime"}),) * 2,
}


@pytest.mark.parametrize("name", JOINED)
def test_time_goes_on_where_joined_streams_start_their_clock_anew(name, tmp_path):
    path = tmp_path / name
    path.write_bytes(b"".join(write_clip(clip, tmp_path).read_bytes() for clip in JOINED[name]))
    info = index_video(path)
    assert len(info) == 2 * FRAMES
    assert np.abs(np.diff(info.time_s) - 1 / 30).max() < 0.002
    (line,) = [line for line in info.warnings if "its clock starts anew" in line]
    assert f"{info.time_s[FRAMES]:.3f} s" in line
    for decoder in DECODERS:
        assert numbers(info, decoder) == [*range(FRAMES), *range(FRAMES)]
        assert numbers(info, decoder, 33, 43) == [*range(33, FRAMES), 0, 1, 2]
        assert numbers(info, decoder, 65, 68) == [25, 26, 27]


def test_the_sound_of_a_joined_stream_is_left_out(tmp_path):
    one = write_clip(replace(TS, audio="aac"), tmp_path).read_bytes()
    (tmp_path / "sound.ts").write_bytes(one + one)
    info = index_video(tmp_path / "sound.ts")
    assert not info.has_audio
    assert any("sound" in line for line in info.warnings)


@pytest.mark.parametrize("deinterlace", ["auto", "field"])
def test_a_file_is_decoded_once_and_its_index_is_kept(deinterlace, tmp_path, monkeypatch):
    path, asked = h264_avi(tmp_path), VideoConfig(deinterlace=deinterlace)
    info = index_video(path, None, asked)
    folder = RunFolder(tmp_path / "run")
    folder.observations.mkdir(parents=True)
    write_index(folder, info)
    told = {"poseline": FORMAT_VERSION, "video": video_facts(info), "video_warnings": list(info.warnings)}
    folder.write_manifest(Manifest({**told, "skeleton": "coco17", "config": asked.model_dump()}))
    monkeypatch.setattr("pipeline.video.seen.decode_all", None)
    again = index_video(path, None, asked, lambda digest: decoded_before([tmp_path_folder(tmp_path), folder], digest))
    for name in ("pts", "time_s", "is_key"):
        assert getattr(again, name).tolist() == getattr(info, name).tolist()
    assert again.seen is not None
    assert info.seen is not None
    assert again.seen.packet.tolist() == info.seen.packet.tolist()
    assert again.warnings == info.warnings
    assert decoded_before([folder], "another") is None


def tmp_path_folder(tmp_path: Path) -> RunFolder:
    """A run folder that is not there."""
    return RunFolder(tmp_path / "none")


def test_a_long_file_whose_start_is_in_order_is_not_decoded_whole(tmp_path, monkeypatch):
    """Cameras say that they reorder pictures and never do: hours of such video are not decoded for the index."""
    asked = []

    def counted(container, stream, packets, most=None):
        asked.append(most)
        return decode_all(container, stream, packets, most)

    monkeypatch.setattr("pipeline.video.seen.decode_all", counted)
    monkeypatch.setattr("pipeline.video.index.why_doubtful", lambda *given: ASCENDING)
    monkeypatch.setattr("pipeline.video.index.START", 35)
    sound = index_video(write_clip(Clip("sound.mp4", options=B_FRAMES), tmp_path))
    assert (sound.seen, asked) == (None, [35])
    asked.clear()
    info = index_video(h264_mp4(tmp_path))
    assert asked == [35, None]
    assert info.seen is not None
