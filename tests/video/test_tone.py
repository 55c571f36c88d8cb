"""HDR is tone-mapped: greys and colours as in SDR, by both decoders, whatever the file forgets to say."""

from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
import pytest

from pipeline.core.settings import VideoConfig
from pipeline.store.manifest import video_facts
from pipeline.video.decode import DECODERS, decord_reads, open_reader
from pipeline.video.index import index_video
from pipeline.video.planes import BT601, PlaneReader
from pipeline.video.tone import BT2020_TO_BT709, to_sdr
from tests.video.clips import Clip, write_clip

PATCHES = [[16] * 3, [70] * 3, [128] * 3, [190] * 3, [240] * 3, [235, 40, 40], [40, 200, 40], [40, 60, 235]]
SIDE, FRAMES = 24, 3
LUMA = np.array([0.2627, 0.6780, 0.0593])


def pq(nits: np.ndarray) -> np.ndarray:
    """The signal of SMPTE ST 2084."""
    power = (nits / 10_000) ** (2610 / 16384)
    return ((3424 / 4096 + 2413 / 128 * power) / (1 + 2392 / 128 * power)) ** (2523 / 32)


def hlg(nits: np.ndarray) -> np.ndarray:
    """The signal of ITU-R BT.2100 for a display of 1000 cd/m²."""
    scene = nits / 1000 * np.maximum((nits / 1000 @ LUMA)[..., None], 1e-9) ** (1 / 1.2 - 1)
    log = 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073
    return np.where(scene <= 1 / 12, np.sqrt(3 * scene), log)


CURVES, TRANSFERS = {"pq": pq, "hlg": hlg}, {"pq": 16, "hlg": 18, "": 2}


class Kind(NamedTuple):
    """How a clip is made; ``said`` is the transfer that the file names."""

    curve: str
    form: str = "yuv420p10le"
    said: str | None = None
    matrix: int = 9
    full: bool = False
    light: str = ""  # of x265: the mastering display and the brightest light
    nits: float = 203.0  # of SDR's white


def write_hdr(path: Path, kind: Kind) -> Path:
    """A clip of `PATCHES` beside one another, whose white is at ``nits``."""
    row = np.repeat(np.array(PATCHES, float), SIDE, 0)
    nits = kind.nits * (row / 255) ** 2.4 @ np.linalg.inv(BT2020_TO_BT709).T
    rgb = CURVES[kind.curve](np.clip(nits, 0, None))
    depth = int(kind.form[7:9]) if kind.form.endswith("le") else 8
    luma = rgb @ LUMA
    blue, red = (rgb[:, 2] - luma) / 1.8814, (rgb[:, 0] - luma) / 1.4746
    one = 2 ** (depth - 8)
    coded = [16 * one + 219 * one * luma, 128 * one + 224 * one * blue, 128 * one + 224 * one * red]
    if kind.full:
        coded = [(2**depth - 1) * luma, *(128 * one + (2**depth - 1) * c for c in (blue, red))]
    encoder, options = "ffv1", {"level": "3"}
    if kind.light:
        said = f"log-level=none:pools=none:frame-threads=1:qp=4:{kind.light}"
        encoder, options = "libx265", {"preset": "ultrafast", "x265-params": said}
    with av.open(str(path), "w") as out:
        stream = out.add_stream(encoder, rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = len(row), 32, kind.form
        context = stream.codec_context
        context.thread_count = 1
        context.color_trc, context.colorspace = TRANSFERS[kind.curve if kind.said is None else kind.said], kind.matrix
        context.color_primaries, context.color_range = 9, 2 if kind.full else 1
        for n in range(FRAMES):
            frame = av.VideoFrame(len(row), 32, kind.form)
            for plane, line in zip(frame.planes, coded, strict=True):
                whole = np.rint(line if plane.width == len(row) else line[::2])
                data = np.zeros((plane.height, plane.line_size), np.uint8)
                wide = data.view(np.uint8 if depth == 8 else np.uint16)
                wide[:, : plane.width] = whole
                plane.update(data.tobytes())
            frame.pts, frame.time_base = n, Fraction(1, 25)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def patches(image: np.ndarray) -> np.ndarray:
    """(8, 3) the mean colour in the middle of each patch."""
    return np.array([image[8:24, i * SIDE + 6 : (i + 1) * SIDE - 6].mean((0, 1)) for i in range(len(PATCHES))])


def assert_as_sdr(found: np.ndarray) -> None:
    assert np.abs(found[:4] - PATCHES[:4]).max() < 4
    assert (np.abs(found[4:] - PATCHES[4:]).max(1) < 24).all()  # what is bright is rolled off


KINDS = [
    Kind("pq"),
    Kind("hlg"),
    Kind("hlg", "yuv420p"),
    Kind("pq", "yuv422p12le"),
    Kind("hlg", "yuv420p12le"),
    Kind("pq", matrix=2),
    Kind("hlg", full=True),
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda k: f"{k.curve} {k.form} {k.matrix} {'full' * k.full}")
def test_hdr_is_seen_and_drawn_as_sdr_by_both_decoders(kind, tmp_path):
    info = index_video(write_hdr(tmp_path / "a.mkv", kind))
    assert (info.hdr, info.peak_nits) == (kind.curve, 1000)
    assert sum(f"HDR ({kind.curve.upper()}, up to 1000 cd/m²); tone-mapped" in line for line in info.warnings) == 1
    assert video_facts(info)["hdr"] == kind.curve
    assert not decord_reads(info)
    found = []
    for decoder in DECODERS:
        with open_reader(info, decoder) as reader:
            found.append(next(reader.read(1, 3, 2)).image[0])
    assert np.array_equal(*found)
    assert_as_sdr(patches(found[0]))
    with PlaneReader(info, info.size_px) as reader:
        frame = dict(reader.read(1, 2))[1]
        assert reader.colours == BT601
        drawn = frame.to_ndarray(format="rgb24")
    assert_as_sdr(patches(drawn))


def test_light_above_white_is_rolled_off_and_not_cut(tmp_path):
    grey = np.linspace(0, 1, 200)[:, None].repeat(3, 1)
    for curve, peak in (("hlg", 1000.0), ("pq", 1000.0), ("pq", 4000.0)):
        level = to_sdr(CURVES[curve](np.linspace(0.01, peak, 200)[:, None].repeat(3, 1)), curve, peak)[:, 0]
        assert (np.diff(level) > 0).all()
        assert level[-1] == pytest.approx(1, abs=1e-3)
        assert np.isfinite(to_sdr(grey, curve, peak)).all()


def test_the_brightest_light_is_as_the_file_says(tmp_path):
    display = "master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(20000000,50)"
    for light, expected in ((display, 2000), (f"{display}:max-cll=1500,400", 1500), (f"{display}:max-cll=0,0", 2000)):
        info = index_video(write_hdr(tmp_path / "a.mp4", Kind("pq", light=light)))
        assert (info.hdr, info.peak_nits) == ("pq", expected)
    info = index_video(write_hdr(tmp_path / "b.mp4", Kind("pq", said="", light=display)))
    assert (info.hdr, info.peak_nits) == ("pq", 2000)  # nothing else has a mastering display


def test_hdr_is_what_the_user_says(tmp_path):
    untold = write_hdr(tmp_path / "a.mkv", Kind("hlg", said=""))
    assert index_video(untold).hdr == ""  # wide colours alone are no HDR
    info = index_video(untold, None, VideoConfig(hdr="hlg"))
    with open_reader(info) as reader:
        assert_as_sdr(patches(next(reader.read(0, 1, 1)).image[0]))
    told = write_hdr(tmp_path / "b.mkv", Kind("pq"))
    off = index_video(told, None, VideoConfig(hdr="off"))
    assert (off.hdr, off.peak_nits, off.warnings) == ("", 0, ())
    assert index_video(write_clip(Clip("c.mp4", pixel_format="yuv420p10le"), tmp_path)).hdr == ""
