"""Receiving from a stream on 127.0.0.1: every picture counted, cuts survived, what is not there said."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from itertools import pairwise
from types import SimpleNamespace

import pytest

from pipeline.core.errors import PoselineError
from pipeline.core.settings import LiveConfig
from pipeline.live.ledger import Delays, Ledger
from pipeline.live.receive import Receiver, spread
from pipeline.live.source import LiveSource, parse_source
from pipeline.live.whole import WholePictures
from pipeline.video.index import index_video
from pipeline.video.inputs import find_inputs
from tests.live import station
from tests.live.station import Station, write_clip
from tests.video.clips import number_of
from tests.video.test_deinterlace import MOMENTS, write_woven

FAST = LiveConfig(timeout_s=1.0, retry_s=0.05, retry_most_s=0.2, gap_s=0.3)


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return write_clip(tmp_path_factory.mktemp("clip") / "a.ts")


def receiver(url, config=FAST):
    ledger, said, events = Ledger(), [], []
    made = Receiver(parse_source(str(url)), config, ledger, said.append, lambda what, facts: events.append(what))
    return made, ledger, said, events


def drain(r, seconds, frames=1, until=10_000):
    """What comes within so many seconds, or until so many frames are there."""
    end, taken = time.monotonic() + seconds, []
    while time.monotonic() < end and not r.ended and len(taken) < until:
        taken += r.take(frames, 0.1)
    return taken


def balanced(ledger, taken):
    books = ledger.counts()
    assert books["received"] == len(taken) + books["dropped"] + 0
    return books


@pytest.mark.parametrize("kind", ["url", "mjpeg"])
def test_a_stream_is_received_in_order(clip, kind):
    with Station(clip) as station:
        r, ledger, _, _ = receiver(getattr(station, kind))
        r.start()
        taken = drain(r, 30.0, until=20)
        r.stop()
    balanced(ledger, taken)
    assert len(taken) >= 20
    times = [t.time_s for t in taken]
    assert times == sorted(times)
    assert taken[0].size_px == (192, 144)


def test_a_cut_stream_is_received_again(clip):
    with Station(clip) as station:
        r, ledger, said, events = receiver(station.url)
        r.start()
        taken = drain(r, 30.0, until=10)
        station.cut()
        taken += drain(r, 0.8)
        station.resume()
        taken += drain(r, 30.0, until=10)
        r.stop()
    balanced(ledger, taken)
    facts = ledger.facts()
    assert facts["reconnects"] == 1
    assert facts["failed_connections"] >= 1
    assert any("cut" in line for line in said)
    assert any("connected again" in line for line in said)
    assert {"cut", "connected", "gap"} <= set(events)
    gap = max(facts["gaps"], key=lambda g: g["to_s"] - g["from_s"])
    assert gap["to_s"] - gap["from_s"] > 0.6
    assert all(b.time_s > a.time_s for a, b in pairwise(taken))


def test_who_is_slow_gets_the_newest_and_all_others_are_counted(clip):
    with Station(clip) as station:
        r, ledger, _, _ = receiver(station.url, FAST.model_copy(update={"queue_frames": 3}))
        r.start()
        taken, end = [], time.monotonic() + 30
        while ledger.counts()["dropped_by_reason"].get("behind", 0) <= 20 and time.monotonic() < end:
            time.sleep(0.3)
            taken += r.take(1, 0.1)
        r.stop()
    books = balanced(ledger, taken)
    assert books["dropped_by_reason"]["behind"] > 20
    assert len(taken) < 15
    assert all(b.time_s - a.time_s > 0.1 for a, b in pairwise(taken))


def test_a_source_that_gives_up_ends_with_a_line(clip):
    with Station(clip) as station:
        r, ledger, _, _ = receiver(station.url, FAST.model_copy(update={"give_up_s": 0.5}))
        r.start()
        taken = drain(r, 30.0, until=5)
        station.cut()
        taken += drain(r, 30.0)
        r.stop()
    balanced(ledger, taken)
    assert r.error is not None
    assert "give_up_s" in str(r.error)


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("http://127.0.0.1:9/x", "cannot be received"),
        ("rtsp://user:secret@127.0.0.1:9/x", "rtsp://127.0.0.1:9/x"),
        ("udp://127.0.0.1:45771", "no answer in time"),
        ("tcp://127.0.0.1:9", "Connection refused"),
    ],
)
def test_what_was_never_there_is_said_in_a_line(address, words):
    r, *_ = receiver(address, LiveConfig(timeout_s=0.5))
    with pytest.raises(PoselineError, match=words) as caught:
        r.start()
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_camera_that_is_none_is_said_in_a_line(clip):
    ledger = Ledger()
    r = Receiver(LiveSource(str(clip), "camera", str(clip), "v4l2"), FAST, ledger, print, lambda what, facts: None)
    with pytest.raises(PoselineError, match=r"a\.ts: cannot be received") as caught:
        r.start()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("scheme", ["udp", "rtsp"])
def test_datagrams_and_rtsp_are_received(clip, scheme):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM if scheme == "udp" else socket.SOCK_STREAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"{scheme}://127.0.0.1:{port}" + ("/live" if scheme == "rtsp" else "")
    listen = {"rtsp_flags": "listen"} if scheme == "rtsp" else {}
    config = FAST.model_copy(update={"options": listen, "wait_s": 10.0})
    r, ledger, _, _ = receiver(address, config)
    pusher = subprocess.Popen([sys.executable, station.__file__, address, str(clip)])
    try:
        r.start()
        taken = drain(r, 10.0, until=15)
    finally:
        r.stop()
        pusher.kill()
        pusher.wait()
    balanced(ledger, taken)
    assert len(taken) >= 15
    assert taken[0].size_px == (192, 144)


@pytest.mark.parametrize("address", ["/dev/video77", "77", "nothing.ts", "gopher://127.0.0.1/x", "tests"])
def test_what_is_no_source_is_said_in_a_line(address):
    with pytest.raises(PoselineError):
        parse_source(address)


def test_addresses_are_shown_and_named_without_secrets():
    source = parse_source("rtsp://ann:pass@192.0.2.7:554/cam/1?token=abc")
    assert source.shown == "rtsp://192.0.2.7:554/cam/1"
    assert source.name == "192.0.2.7_554_cam_1"
    assert source.url.startswith("rtsp://ann:pass@")


@pytest.mark.parametrize(
    ("address", "shown", "name"),
    [
        (
            "rtsp://ip/user=ann&password=pass&channel=1&stream=0.sdp",
            "rtsp://ip/channel=1&stream=0",
            "ip_channel_1_stream_0",
        ),
        (
            "rtsp://ip/user=ann_password=pass_channel=2_stream=0.sdp",
            "rtsp://ip/channel=2&stream=0",
            "ip_channel_2_stream_0",
        ),
        ("rtsp://ip/live/user%3Dann%26pwd%3Dpass/1", "rtsp://ip/live//1", "ip_live_1"),
        ("rtsp://ip/a;token=pass", "rtsp://ip/", "ip"),
        ("rtsp://[ann:pass/x", "rtsp://…", "live"),
    ],
)
def test_secrets_in_the_path_of_an_address_are_neither_shown_nor_stored(address, shown, name):
    source = parse_source(address)
    assert (source.shown, source.name, source.url) == (shown, name, address)
    with pytest.raises(PoselineError, match="is a stream; follow it with poseline live") as caught:
        find_inputs([address])
    assert "pass" not in str(caught.value)


def test_a_source_that_comes_later_is_waited_for(clip, tmp_path):
    with Station(clip) as station:
        station.cut()
        r, *_ = receiver(station.url, FAST.model_copy(update={"wait_s": 5.0}))
        threading.Timer(0.5, station.resume).start()
        r.start()
        assert drain(r, 30.0, until=1)
        r.stop()


def test_a_file_plays_at_its_own_pace(clip):
    r, ledger, _, _ = receiver(clip)
    began = time.monotonic()
    r.start()
    taken = drain(r, 60.0)
    assert time.monotonic() - began > 3.5
    r.stop()
    books = balanced(ledger, taken)
    assert books["received"] == 100


def test_spread_takes_the_newest_evenly():
    assert spread(7, 3) == [2, 4, 6]
    assert spread(2, 3) == [0, 1]
    assert spread(8, 1) == [7]
    for n in range(1, 30):
        for k in range(1, 9):
            chosen = spread(n, k)
            assert chosen[-1] == n - 1
            assert len(set(chosen)) == min(n, k)


def test_delays_have_quantiles_within_a_few_percent():
    delays = Delays()
    for i in range(1, 1001):
        delays.add(i / 1000)
    assert delays.quantile(0.5) == pytest.approx(0.5, rel=0.03)
    assert delays.quantile(0.95) == pytest.approx(0.95, rel=0.03)
    assert Delays().quantile(0.5) is None


def test_interlaced_pictures_are_made_whole_and_none_is_lost(tmp_path):
    path = write_woven(tmp_path / "a.mts", "libx264")
    r, ledger, said, _ = receiver(path)
    r.start()
    taken = drain(r, 10, frames=50)
    assert [number_of(t.picture.to_ndarray(format="rgb24")) for t in taken] == MOMENTS[::2]
    info = index_video(path)
    assert [t.time_s for t in taken] == pytest.approx((info.time_s - info.time_s[0]).tolist(), abs=1e-6)
    assert sum("interlaced; deinterlaced by bwdif" in line for line in said) == 1
    assert balanced(ledger, taken)


def test_interlaced_pictures_are_left_alone_on_wish():
    picture = SimpleNamespace(interlaced_frame=True, pts=7)
    assert WholePictures("off")(picture, 1.5) == [(picture, 7, 1.5)]
