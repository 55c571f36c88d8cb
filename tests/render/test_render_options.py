"""What `poseline render` can be asked for, on short made videos."""

from fractions import Fraction

import av
import numpy as np
import pytest

from pipeline.core.config import Config
from pipeline.core.errors import PoselineError
from pipeline.render.video import render
from pipeline.video.containers import ENCODERS
from pipeline.video.index import index_video
from tests.render.test_render import SIZE_PX, VARIABLE, drawn, motion, pictures, run_folder, source  # noqa: F401
from tests.video.clips import Clip, number_of, write_clip


def config(**settings) -> Config:
    return Config.model_validate({"render": {"preset": "ultrafast", **settings}})


@pytest.fixture
def folder(source, tmp_path):  # noqa: F811
    people = [motion(source, np.arange(10, 30)), motion(source, np.arange(20, 36), 2)]
    return run_folder(tmp_path / "run", source, people)


NAMES = {"h264": "h264", "h265": "hevc", "vp9": "vp9", "av1": "av1"}


@pytest.mark.parametrize(
    ("codec", "end"), [("h264", "mp4"), ("h265", "mp4"), ("vp9", "webm"), ("av1", "mp4"), ("av1", "mkv")]
)
def test_every_codec_keeps_uneven_times_and_the_sound(source, folder, tmp_path, codec, end):  # noqa: F811
    target = tmp_path / f"out.{end}"
    # At its fastest SVT-AV1 smears a pattern that changes in every frame.
    slow = {"preset": "medium", "crf": 15} if codec == "av1" else {}
    render(folder, config(codec=codec, **slow), out=target)
    out = index_video(target)
    tick = 0.0011 if end in ("webm", "mkv") else 1e-6  # Matroska counts milliseconds
    np.testing.assert_allclose(out.time_s - out.time_s[0], source.time_s - source.time_s[0], atol=tick)
    assert out.has_audio
    with av.open(str(target)) as container:
        assert container.streams.video[0].codec_context.codec.canonical_name == NAMES[codec]
        heard = [frame.time for frame in container.decode(audio=0)]
    assert heard[-1] == pytest.approx(VARIABLE.audio_s - float(source.time_s[0]), abs=0.06)
    assert set(NAMES) == set(ENCODERS)
    assert [number_of(i) for i in pictures(out)] == list(range(40))


def test_a_part_begins_at_zero_with_its_own_sound(source, folder, tmp_path):  # noqa: F811
    target = tmp_path / "part.mp4"
    assert render(folder, config(), start_frame=10, stop_frame=25, out=target)["frames"] == 15
    out = index_video(target)
    np.testing.assert_allclose(out.time_s, source.time_s[10:25] - source.time_s[10], atol=1e-6)
    with av.open(str(target)) as container:
        heard = [frame.time for frame in container.decode(audio=0)]
    assert heard[0] == pytest.approx(0, abs=0.05)
    assert heard[-1] == pytest.approx(float(source.time_s[25] - source.time_s[10]), abs=0.1)


@pytest.mark.parametrize("scale", [0.5, 2.0, 0.33])
def test_the_picture_is_scaled_and_people_with_it(source, folder, tmp_path, scale):  # noqa: F811
    shares = []
    for factor in (1.0, scale):
        target = tmp_path / f"{factor}.mp4"
        render(folder, config(scale=factor, background="black", labels=False, boxes=False, crf=10), out=target)
        after = pictures(index_video(target))
        lit = after[25].max(2) > 80
        shares.append(np.argwhere(lit).mean(0) / lit.shape)
        assert after.shape[2] == round(SIZE_PX[0] * factor / 2) * 2
    np.testing.assert_allclose(*shares, atol=0.02)


def test_chosen_people_alone_are_drawn(source, folder, tmp_path):  # noqa: F811
    target = tmp_path / "two.mp4"
    assert render(folder, config(people=[2], crf=10), out=target)["person_frames"] == 16
    share = drawn(pictures(source), pictures(index_video(target)))
    assert (share[:20] < 1e-3).all()
    assert (share[20:36] > 0.005).all()
    with pytest.raises(PoselineError, match=r"--people 7: .* has no such person; there are 1, 2"):
        render(folder, config(people=[7]), out=target)


def test_skeletons_alone_need_no_video(source, tmp_path):  # noqa: F811
    info = index_video(write_clip(Clip("gone.mp4", frames=6), tmp_path))
    folder = run_folder(tmp_path / "run", info, [motion(info, np.arange(6))])
    info.path.unlink()
    assert render(folder, config(background="black", blur="faces"))["frames"] == 6
    after = pictures(index_video(folder.video))
    assert np.median(after) < 8
    assert 0.002 < (after.max(3) > 80).mean() < 0.2


def test_heads_are_drawn_on_black_and_left_out_where_blurred(source, folder, tmp_path):  # noqa: F811
    def colours(**settings) -> float:
        """Blue and orange px above the shoulders of person 1, in a frame that person 2 is not in."""
        target = tmp_path / "out.mp4"
        render(folder, config(background="black", labels=False, boxes=False, crf=5, **settings), out=target)
        after = pictures(index_video(target))[12]
        top = int(motion(source, np.arange(10, 30)).keypoints_px[2, 5:7, 1].min()) - 4
        return float((after[:top].max(2) > 80).mean())

    assert colours(blur="faces") == pytest.approx(colours(), rel=0.05)
    assert colours() > 0


@pytest.mark.parametrize("style", ["default", "clean", "analysis", "surveillance", "presentation"])
def test_every_style_draws_with_what_the_tables_have(source, folder, tmp_path, style):  # noqa: F811
    target = tmp_path / f"{style}.mp4"
    stats = render(folder, config(style=style), out=target)
    share = drawn(pictures(source), pictures(index_video(target)))
    assert (share[20:30] > 0.003).all()
    notes = " ".join(stats["notes"])  # the tables have no metres
    assert ("the video has no map" in notes) == (style in ("analysis", "surveillance"))
    assert ("no inset of it" in notes) == (style in ("analysis", "presentation"))


@pytest.mark.parametrize(
    ("settings", "out", "said"),
    [
        ({"scale": 0.05}, "a.mp4", "16x12 pixels are no video"),
        ({"codec": "h264"}, "a.webm", ".webm does not hold h264"),
        ({}, "a.gif", "unknown kind of video"),
    ],
)
def test_what_cannot_be_written_is_one_line(folder, tmp_path, settings, out, said):
    with pytest.raises(PoselineError, match=said.replace(".", r"\.")) as error:
        render(folder, config(**settings), out=tmp_path / out)
    assert "\n" not in str(error.value)
    assert not (tmp_path / out).exists()


def test_the_source_is_not_overwritten(source, folder):  # noqa: F811
    before = source.path.read_bytes()
    with pytest.raises(PoselineError, match="is the source video"):
        render(folder, config(), out=source.path)
    assert source.path.read_bytes() == before
    assert VARIABLE.time_base == Fraction(1, 12800)
