"""Opens a page in headless Chromium, from its file and without a network."""

import html
import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ('chromium', 'chromium-browser', 'google-chrome'))), None)
needs_browser = pytest.mark.skipif(
    CHROMIUM is None, reason='no Chromium is installed, in which the page would be opened'
)
OPTIONS = (
    *('--headless', '--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking'),
    *('--disable-component-update', '--disable-sync', '--enable-logging=stderr', '--hide-scrollbars'),
    '--allow-file-access-from-files',  # for the frames, whose pages are asked how wide they are
)
FRAMES = """<!DOCTYPE html>
<iframe src="{url}" style="width: {width}px; color-scheme: light"></iframe>
<iframe src="{url}" style="width: {width}px; color-scheme: dark"></iframe>
<pre></pre>
<script>
window.onload = () => {{
  const [page, dark] = [...document.querySelectorAll('iframe')].map((frame) => frame.contentDocument);
  const colour = (shown) => shown.defaultView.getComputedStyle(shown.body).backgroundColor;
  document.querySelector('pre').textContent = JSON.stringify({{
    width: page.documentElement.scrollWidth,
    broken: [...page.images].filter((image) => !image.naturalWidth).length,
    text: page.body.innerText,
    colours: [colour(page), colour(dark)],
  }});
}};
</script>
"""


@dataclass(frozen=True)
class Seen:
    """What a browser shows.

    Attributes:
        width: Of the content, in pixels; more than that of the window if the page scrolls sideways.
        broken: Number of images that cannot be shown.
        text: That a reader sees.
        colours: Of the background, where light and where dark pages are preferred.
        messages: What the browser wrote to its console, such as about a refused request.
    """

    width: int
    broken: int
    text: str
    colours: list[str]
    messages: list[str]


def look(page: Path, folder: Path, width: int = 360) -> Seen:
    """Opens ``page`` in a window so many pixels wide; ``folder`` takes the browser's files."""
    assert CHROMIUM is not None
    frames = folder / 'frames.html'
    frames.write_text(FRAMES.format(url=page.as_uri(), width=width))
    command = [CHROMIUM, *OPTIONS, f'--user-data-dir={folder / "profile"}', '--dump-dom', frames.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    found = re.findall('<pre>(.+)</pre>', done.stdout, re.DOTALL)
    assert found, done.stderr[-2000:]
    return Seen(**json.loads(html.unescape(found[0])), messages=re.findall(r':CONSOLE.*', done.stderr))


def look_on_a_phone(page: Path, folder: Path) -> Seen:
    """:func:`look` at a page that must fit, show all its images, ask nothing and have a dark scheme."""
    seen = look(page, folder)
    assert seen.messages == []
    assert (seen.width, seen.broken) == (360, 0)
    light, dark = seen.colours
    assert light == 'rgb(255, 255, 255)' != dark
    return seen
