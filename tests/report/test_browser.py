"""The page in a real Chromium, opened from disk."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from pipeline.render.privacy import Privacy
from pipeline.report.write import write_report
from pipeline.store.manifest import Manifest
from tests.report.browser import chromium, chromium_path, open_report
from tests.report.runs import BAD_NAME, SHOWN, grey_of, pts, report_run


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(report_run(tmp_path_factory.mktemp("report") / "a run #1 %20"), Privacy())


@pytest.fixture
def page(browser: Any, path: Path) -> Iterator[Any]:
    opened, said = open_report(browser, path)
    yield opened
    assert said.lines == []
    opened.context.close()


def frame_of(page: Any) -> int:
    return int(page.evaluate("document.documentElement.dataset.frame"))


def wait_frame(page: Any, condition: str) -> None:
    page.wait_for_function(f"(f => {condition})(Number(document.documentElement.dataset.frame))")


def settled(page: Any) -> float:
    """The time of the picture that is on the screen, once the video has come to rest."""
    page.wait_for_function(
        "(() => { const v = document.querySelector('video'); return v.readyState > 1 && !v.seeking; })()"
    )
    page.wait_for_timeout(150)
    return float(page.evaluate("document.querySelector('video').dataset.mediaTime"))


def shown_grey(page: Any) -> float:
    """Grey of the middle of the video as it is on the screen."""
    data = page.locator("#screen video").screenshot()
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
    h, w = picture.shape
    return float(picture[h // 2 - 5 : h // 2 + 5, w // 2 - 5 : w // 2 + 5].mean())


def place(page: Any, selector: str, x: float, y: float) -> tuple[float, float]:
    page.locator(selector).scroll_into_view_if_needed()
    box = page.locator(selector).bounding_box()
    return box["x"] + x * box["width"], box["y"] + y * box["height"]


def test_it_opens_from_disk_without_a_word_or_a_request(page: Any) -> None:
    assert page.title() == "walk 1.mp4 · poseline"
    assert page.locator(".person").count() == 2
    assert page.locator(".person b").first.inner_text() == BAD_NAME  # as text, not as markup
    assert page.locator("#graph path.js-line").count() >= 2
    assert page.evaluate("document.querySelector('video').error") is None


def test_the_video_shows_the_very_frame_that_the_tables_tell_of(page: Any) -> None:
    for frame in (SHOWN[0], 17, 18, 40, SHOWN[1] - 1):
        page.evaluate(
            "([at]) => { const p = document.getElementById('position'); p.value = at;"
            " p.dispatchEvent(new Event('input')) }",
            [float(pts()[frame] / 1000)],
        )
        assert frame_of(page) == frame
        assert settled(page) == pytest.approx((pts()[frame] - pts()[SHOWN[0]]) / 1000, abs=0.002)
        assert shown_grey(page) == pytest.approx(grey_of(frame), abs=2.0)


def test_single_frames_back_and_on(page: Any) -> None:
    page.keyboard.press("Home")
    for _ in range(3):
        page.keyboard.press(".")
    assert frame_of(page) == SHOWN[0] + 3
    page.keyboard.press(",")
    assert frame_of(page) == SHOWN[0] + 2
    page.click("#forth")
    assert frame_of(page) == SHOWN[0] + 3
    settled(page)
    assert shown_grey(page) == pytest.approx(grey_of(SHOWN[0] + 3), abs=2.0)


def test_the_playhead_moves_with_the_video(page: Any) -> None:
    page.keyboard.press("Home")
    head = "document.querySelector('#scrub .playhead').getBoundingClientRect().x"
    before = page.evaluate(head)
    page.keyboard.press(" ")
    wait_frame(page, f"f > {SHOWN[0] + 10}")
    assert page.evaluate(head) > before + 20
    lane = "document.querySelector('#lanes .playhead').getBoundingClientRect().x"
    assert page.evaluate(lane) > before + 20
    page.keyboard.press(" ")
    page.wait_for_timeout(100)
    stopped = frame_of(page)
    page.wait_for_timeout(200)
    assert frame_of(page) == stopped
    assert page.evaluate("document.querySelector('video').paused")
    page.keyboard.press("End")
    page.keyboard.press(" ")  # at the end it starts again
    wait_frame(page, f"f < {SHOWN[1] - 10}")


def test_a_click_on_the_timeline_seeks(page: Any) -> None:
    x, y = place(page, ".person:nth-child(2) .when", 0.5, 0.5)
    page.mouse.click(x, y)
    middle = (pts()[SHOWN[0]] + pts()[SHOWN[1] - 1]) / 2
    assert abs(pts()[frame_of(page)] - middle) < 60
    page.locator(".person .doubt").first.click()
    assert abs(pts()[frame_of(page)] - 3600) < 60
    assert page.locator(".person.on b").inner_text() == "Person 2"
    page.locator(".moment").first.click()
    assert abs(pts()[frame_of(page)] - 3600) < 60


def test_a_click_and_a_drag_on_the_curves_seek(page: Any) -> None:
    graph = page.locator("#scrub")
    graph.scroll_into_view_if_needed()
    box = graph.bounding_box()
    left, right = box["x"] + 60, box["x"] + box["width"] - 14
    first, last = pts()[SHOWN[0]], pts()[SHOWN[1] - 1]
    for share in (0.25, 0.75):
        page.mouse.click(left + share * (right - left), box["y"] + 60)
        assert abs(pts()[frame_of(page)] - (first + share * (last - first))) < 60
    page.mouse.down()
    page.mouse.move(left + 0.5 * (right - left), box["y"] + 70, steps=4)
    page.mouse.up()
    assert abs(pts()[frame_of(page)] - (first + 0.5 * (last - first))) < 60
    settled(page)
    for _ in range(100):  # a busy machine shows the picture late
        if abs(shown_grey(page) - grey_of(frame_of(page))) <= 2.0:
            break
        page.wait_for_timeout(100)
    assert shown_grey(page) == pytest.approx(grey_of(frame_of(page)), abs=2.0)


def test_curves_hold_the_tables_values_and_gaps_stay_gaps(page: Any) -> None:
    page.evaluate("document.getElementById('graph').data[0].x.length")
    x, y = page.evaluate("(({x, y}) => [x, y])(document.getElementById('graph').data[0])")
    known = [(a, b) for a, b in zip(x, y, strict=True) if b is not None]
    frames = np.r_[SHOWN[0] : 30, 34 : SHOWN[1]]
    times = pts()[frames] / 1000
    assert [a for a, _ in known] == pytest.approx(times.tolist(), abs=1e-5)
    assert [b for _, b in known] == pytest.approx((40 + 30 * np.sin(5 * times)).tolist(), abs=0.02)
    assert sum(b is None for b in y) == 1


def test_several_curves_of_several_people_by_search(page: Any) -> None:
    page.fill("#quantity-find", "wrist speed")
    page.get_by_label("Left wrist speed").check()
    page.wait_for_function(
        "[...document.querySelectorAll('.lane-key')].some(k => k.textContent.includes('wrist speed'))"
    )
    page.locator(".person:nth-child(2) input").check()
    page.wait_for_function(
        "document.querySelectorAll('.lane-key').length >= 2"
        " && document.querySelector('#legends').textContent.includes('Person 2')"
    )
    page.fill("#people-find", "2")
    page.wait_for_function("document.querySelectorAll('.person').length === 1")
    page.fill("#people-find", "nobody at all")
    page.wait_for_selector(".nobody")


def test_space_turns_under_the_mouse_and_by_keys(page: Any) -> None:
    view = page.locator("#space-view")
    before = view.screenshot()
    yaw = float(view.get_attribute("data-yaw"))
    x, y = place(page, "#space-view", 0.5, 0.5)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 90, y + 15, steps=5)
    page.mouse.up()
    page.wait_for_timeout(100)
    assert float(view.get_attribute("data-yaw")) > yaw + 0.5
    assert view.screenshot() != before
    turned = float(view.get_attribute("data-yaw"))
    view.focus()
    page.keyboard.press("ArrowLeft")
    assert float(view.get_attribute("data-yaw")) < turned
    assert frame_of(page) == SHOWN[0]  # the arrow turned, it did not seek


def test_space_plays_along(page: Any) -> None:
    view = page.locator("#space-view")
    before = view.screenshot()
    page.keyboard.press("End")
    page.wait_for_timeout(150)
    assert view.screenshot() != before


def test_zoom_shows_less_time(page: Any) -> None:
    page.click("#zoom-in")
    page.wait_for_timeout(200)
    low, high = page.evaluate("document.getElementById('graph').layout.xaxis.range")
    assert high - low == pytest.approx((pts()[SHOWN[1] - 1] - pts()[SHOWN[0]]) / 2000, rel=0.01)
    page.click("#zoom-all")
    page.wait_for_timeout(200)
    low, _ = page.evaluate("document.getElementById('graph').layout.xaxis.range")
    assert low == pytest.approx(pts()[SHOWN[0]] / 1000)


def test_the_methods_section_is_copied_or_marked(page: Any) -> None:
    page.click("#methods-copy")
    page.wait_for_function(
        "document.querySelector('#methods [role=status]').textContent.startsWith('Cop') || getSelection().toString()"
    )
    page.click("#methods summary")
    assert "References" in page.inner_text("#methods")


def test_keys_do_not_take_letters_from_a_field_nor_space_from_a_button(page: Any) -> None:
    page.focus("#people-find")
    page.keyboard.type("a . b")
    assert page.input_value("#people-find") == "a . b"
    assert frame_of(page) == SHOWN[0]
    page.focus("#zoom-in")
    page.keyboard.press(" ")
    assert page.evaluate("document.querySelector('video').paused")


def test_everything_can_be_reached_by_tab_with_a_visible_focus_and_a_name(page: Any) -> None:
    seen = []
    page.keyboard.press("Tab")
    for _ in range(70):
        seen.append(
            page.evaluate(
                "(e => ({id: e.id, name: e.ariaLabel || e.textContent.trim() || e.title || e.placeholder"
                " || e.labels?.[0]?.textContent, ring: getComputedStyle(e).outlineStyle}))(document.activeElement)"
            )
        )
        page.keyboard.press("Tab")
    assert {"people-find", "people-sort", "zoom-in", "space-view", "scrub", "quantity-find", "play", "position"} <= {
        s["id"] for s in seen
    }
    stops = [s for s in seen if s["id"] or s["name"]]
    assert all(s["name"] for s in stops if s["id"] not in {""}), [s for s in stops if not s["name"]]
    assert all(s["ring"] != "none" for s in stops[1:10])


def test_where_a_browser_is_required_its_lack_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("POSELINE_BROWSER", raising=False)
    monkeypatch.setenv("POSELINE_CHROMIUM", "/nowhere/chromium")
    with pytest.raises(pytest.skip.Exception, match=r"install_chromium\.sh"):
        chromium_path()
    monkeypatch.setenv("POSELINE_BROWSER", "required")
    with pytest.raises(pytest.fail.Exception, match=r"install_chromium\.sh"):
        chromium_path()


def contrast(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    def light(rgb: tuple[float, ...]) -> float:
        c = np.array(rgb[:3]) / 255
        return float(np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722])

    high, low = sorted((light(a), light(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_and_lines_stand_out_by_wcag_aa(browser: Any, path: Path, scheme: str) -> None:
    page, said = open_report(browser, path, color_scheme=scheme)
    probe = """names => names.map(n => { const e = document.createElement('i'); e.style.color = `var(--${n})`;
        document.body.append(e);
        const c = getComputedStyle(e).color.match(/[\\d.]+/g).map(Number);
        e.remove();
        return c;
    })"""
    names = [
        "back",
        "panel",
        "hover",
        "accent-soft",
        "warn-soft",
        "ink",
        "soft",
        "accent",
        "warn",
        "head",
        "seen",
        "left",
        "right",
    ]
    c = dict(zip(names, page.evaluate(probe, names), strict=True))
    for ground in ("back", "panel", "hover", "accent-soft"):
        for text in ("ink", "soft"):
            assert contrast(c[text], c[ground]) >= 4.5, (scheme, text, ground)
    assert contrast(c["accent"], c["panel"]) >= 4.5
    assert contrast(c["accent"], c["accent-soft"]) >= 4.5
    assert contrast(c["warn"], c["warn-soft"]) >= 4.5
    for line in ("head", "seen", "left", "right"):
        assert contrast(c[line], c["panel"]) >= 3, (scheme, line)
    assert said.lines == []
    page.context.close()


def test_a_phones_width_needs_no_sideways_scroll_and_touch_works(browser: Any, path: Path) -> None:
    page, said = open_report(browser, path, 390, 844, has_touch=True, is_mobile=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    wide = page.evaluate(
        "[...document.querySelectorAll('main *, header *, footer *')].filter(e => e.getBoundingClientRect().right > 391"
        " && !e.closest('.scroll, .lanes, #graph, #legends')).map(e => e.id || e.className)"
    )
    assert wide == []
    page.locator("#scrub").scroll_into_view_if_needed()
    box = page.locator("#scrub").bounding_box()
    page.touchscreen.tap(box["x"] + 0.7 * box["width"], box["y"] + 40)
    assert frame_of(page) > SHOWN[0] + 10
    assert page.locator("#play").bounding_box()["y"] < 844
    assert said.lines == []
    page.context.close()


def test_without_a_video_it_says_so_and_the_clock_runs_alone(browser: Any, tmp_path: Path) -> None:
    page, said = open_report(browser, write_report(report_run(tmp_path / "run", video=False), Privacy()))
    assert "poseline render" in page.locator("#screen").inner_text()
    page.keyboard.press(" ")
    wait_frame(page, f"f > {SHOWN[0] + 4}")
    page.keyboard.press(" ")
    page.keyboard.press("Home")
    assert frame_of(page) == SHOWN[0]
    assert said.lines == []
    page.context.close()


def test_a_video_that_went_away_or_does_not_play_is_told(browser: Any, tmp_path: Path) -> None:
    folder = report_run(tmp_path / "run")
    path = write_report(folder, Privacy())
    folder.video.write_bytes(b"no video at all")
    page, _ = open_report(browser, path)
    page.wait_for_selector("#screen .none")
    assert "annotated.mp4" in page.locator("#screen").inner_text()
    page.keyboard.press(" ")
    wait_frame(page, f"f > {SHOWN[0] + 4}")
    page.context.close()


def test_the_source_is_played_where_nothing_was_drawn(browser: Any, path: Path, tmp_path: Path) -> None:
    folder = report_run(tmp_path / "run", video=False)
    source = tmp_path / "a b#c" / "wälk%20 '?.mp4"
    source.parent.mkdir()
    shutil.copy(path.parent / "annotated.mp4", source)
    manifest = folder.manifest()
    manifest["video"]["path"] = str(source)
    folder.write_manifest(Manifest(manifest))
    page, said = open_report(browser, write_report(folder, Privacy()))
    settled(page)
    assert "source" in page.locator("#video-note").inner_text()
    assert page.evaluate("document.querySelector('video').error") is None
    assert said.lines == []
    page.context.close()


def test_nobody_found_is_a_page_too(browser: Any, tmp_path: Path) -> None:
    folder = report_run(tmp_path / "run", video=False)
    folder.people_csv.write_text(folder.people_csv.read_text().splitlines()[0] + "\n")
    page, said = open_report(browser, write_report(folder, Privacy()))
    assert "Nobody was found" in page.locator("#people").inner_text()
    assert said.lines == []
    page.context.close()
