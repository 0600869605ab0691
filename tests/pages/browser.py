"""A real browser to open pages with: headless Chromium, which asks nobody for anything."""

from __future__ import annotations

import html
import json
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium")
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed (apt-get install chromium)")
QUIET = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--host-resolver-rules=MAP * ~NOTFOUND", "--hide-scrollbars"),
)
ITS_OWN = ("google.com", "googleapis.com", "gvt1.com")
"""Hosts that the browser looks for by itself, whatever is open."""

MEASURE = """
<script>
const shown = one => one.getClientRects().length > 0;
const boxes = [...document.querySelectorAll("svg")].filter(shown).map(one => one.getBoundingClientRect().width);
const over = [...document.querySelectorAll("main *")].filter(
  one => shown(one) && !one.closest(".wide-table, svg") && one.getBoundingClientRect().right > innerWidth + 1);
document.body.insertAdjacentHTML("beforeend", "<pre id=measured></pre>");
document.getElementById("measured").textContent = JSON.stringify({
  width: innerWidth, page: document.documentElement.scrollWidth, boxes,
  over: over.map(one => one.outerHTML.slice(0, 90)),
  paper: getComputedStyle(document.body).backgroundColor, ink: getComputedStyle(document.body).color,
  bold: [...document.querySelectorAll("b, main img")].length, title: document.title,
});
</script>
"""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a page looked like, what the console said, and whom it asked for something."""

    measured: dict[str, Any]
    console: list[str]
    asked: list[str]


def _run(profile: Path, words: Sequence[str]) -> subprocess.CompletedProcess[str]:
    assert CHROMIUM is not None
    command = [CHROMIUM, *QUIET, f"--user-data-dir={profile}", *words]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)


def look(text: str, place: Path, *, width: int, dark: bool = False) -> Seen:
    """Opens a copy of the page, which is allowed one script: ours, that measures."""
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    assert policy in text
    copy = place / "copy.html"
    allowed = text.replace(policy, f"{policy}; script-src 'unsafe-inline'")
    copy.write_text(allowed.replace("</body>", f"{MEASURE}</body>"), "utf-8")
    log = place / "net.json"
    scheme = f"--blink-settings=preferredColorScheme={0 if dark else 1}"
    words = [scheme, f"--window-size={width},900", "--enable-logging=stderr", f"--log-net-log={log}", "--dump-dom"]
    ran = _run(place / "profile", [*words, copy.as_uri()])
    measured = ran.stdout.split('<pre id="measured">', 1)[1].split("</pre>", 1)[0]
    console = [line for line in ran.stderr.splitlines() if "CONSOLE" in line]
    return Seen(json.loads(html.unescape(measured)), console, _asked(log))


def _asked(log: Path) -> list[str]:
    events = json.loads(log.read_text("utf-8"))["events"]
    urls = {event["params"]["url"] for event in events if "url" in event.get("params", {})}
    hosts = {url: url.split("/")[2].split(":")[0] for url in urls if "://" in url and not url.startswith("file:")}
    return sorted(url for url, host in hosts.items() if not host.endswith(ITS_OWN))


def printed(page: Path, place: Path) -> bytes:
    """The page as a PDF."""
    out = place / "page.pdf"
    _run(place / "profile", ["--no-pdf-header-footer", f"--print-to-pdf={out}", page.as_uri()])
    return out.read_bytes()
