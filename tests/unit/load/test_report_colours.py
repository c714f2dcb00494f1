"""Colours can be read: WCAG's contrast of text (4.5) and of graphics (3), in the light and in the dark."""

import re
from pathlib import Path

import pytest

import load

pytestmark = pytest.mark.unit

CSS = (Path(load.__file__).parent / "templates" / "report.css").read_text(encoding="utf-8")
TEXT = [
    ("ink", "card"),
    ("ink", "page"),
    ("soft", "card"),
    ("soft", "page"),
    ("ink", "track"),
    ("soft", "track"),
    *((tone, f"{tone}-wash") for tone in ("good", "bad", "unsure")),
    *(("ink", f"{tone}-wash") for tone in ("good", "bad", "unsure")),
]
GRAPHICS = [
    ("live", "card"),
    ("candidate", "card"),
    ("slo", "card"),
    ("live", "grey"),
    ("candidate", "grey"),
    ("bad", "grey"),
    ("ink", "track"),
]


def themes() -> dict[str, dict[str, str]]:
    light, dark = re.findall(r":root \{(.*?)\}", CSS, re.DOTALL)[:2]
    return {
        name: dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", css))
        for name, css in {"light": light, "dark": dark}.items()
    }


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(first: str, second: str) -> float:
    darker, lighter = sorted((luminance(first), luminance(second)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("front", "back"), TEXT)
def test_text_stands_out_from_what_it_stands_on(theme: str, front: str, back: str) -> None:
    colours = themes()[theme]
    assert contrast(colours[front], colours[back]) >= 4.5


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("front", "back"), GRAPHICS)
def test_lines_and_bars_stand_out_from_what_they_are_drawn_on(theme: str, front: str, back: str) -> None:
    colours = themes()[theme]
    assert contrast(colours[front], colours[back]) >= 3


def test_live_and_candidate_differ_without_colour() -> None:
    assert re.search(r"\.line\.live \{[^}]*stroke-dasharray", CSS)
    assert not re.search(r"\.line\.candidate \{[^}]*stroke-dasharray", CSS)
    assert re.search(r"\.legend \.live i \{[^}]*dashed", CSS)


def test_both_themes_name_every_colour() -> None:
    assert themes()["light"].keys() == themes()["dark"].keys()


def test_a_page_on_paper_is_laid_out_as_on_a_desk() -> None:
    assert all("screen" in query for query in re.findall(r"@media ([^{]*max-width[^{]*)\{", CSS))
    assert "@page { size: A4" in CSS
