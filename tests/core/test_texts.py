"""Text files as Windows programs write them: with a byte-order mark and CRLF."""

import json
from pathlib import Path

import pytest

from pipeline.core.config import load_config
from pipeline.evaluate.keypoints import load_json
from pipeline.evaluate.mot import read_mot
from pipeline.measure.ground_file import read_ground
from pipeline.store.folder import RunFolder
from pipeline.tracking.edits_file import load


def windows(path: Path, text: str) -> Path:
    """The text with a byte-order mark and CRLF."""
    path.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    return path


def test_settings_are_read(tmp_path):
    config = load_config(windows(tmp_path / "mine.toml", "[track]\nmax_gap_s = 2\n\n[smooth]\norder = 4\n"))
    assert config.track.max_gap_s == 2.0


def test_json_is_read_and_broken_json_is_named(tmp_path):
    content = {"images": [], "name": "Zoë"}
    text = json.dumps(content, indent=1, ensure_ascii=False)
    assert load_json(windows(tmp_path / "a.json", text), "annotations")[0] == content


def test_ground_is_read(tmp_path):
    points = (((0, 0), (0, 0)), ((100, 0), (1, 0)), ((100, 100), (1, 1)), ((0, 100), (0, 1)))
    text = "".join(f"[[point]]\npx = {list(px)}\nm = {list(m)}\n" for px, m in points)
    plain = tmp_path / "plain.toml"
    plain.write_text(text, encoding="utf-8")
    assert repr(read_ground(windows(tmp_path / "g.toml", text))) == repr(read_ground(plain))


def test_edits_are_read(tmp_path):
    windows(tmp_path / "edits.toml", "# nothing yet\n")
    assert load(RunFolder(tmp_path)) == []


def test_tracks_are_read(tmp_path):
    table = read_mot(windows(tmp_path / "gt.txt", "1,1,10,10,5,5,1\n2,1,11,10,5,5,1\n"))
    assert table.frame.tolist() == [1, 2]


@pytest.mark.parametrize("bad", [b"\xff\xfe[\x00", b"\xef\xbb\xbf\xff"])
def test_other_bytes_are_refused_in_one_line(bad, tmp_path):
    path = tmp_path / "bad.toml"
    path.write_bytes(bad)
    with pytest.raises(Exception, match=r"bad\.toml") as error:
        load_config(path)
    assert "\n" not in str(error.value)
