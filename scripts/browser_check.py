"""Open a report in a real headless Chromium, use it as a reader would, and take the screenshots of docs/report.md.

    python scripts/browser_check.py REPORT.html [--chromium PATH] [--out docs/img]

Speaks the DevTools protocol over the browser's pipe, so it needs nothing but Python and a Chromium (Debian: apt-get install
chromium). Exits with 1 if the page logs an error, draws nothing, or a control does not do what it says.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path
from typing import Any

GROUP = """(() => { const groups = JSON.parse(document.getElementById("report").textContent).groups;
  return Math.max(0, groups.findIndex((group) => group.samples.length > 2 && group.samples.some((sample) => sample.advantage > 0))); })()"""
SETTINGS = {"width": 1280, "height": 900, "deviceScaleFactor": 1, "mobile": False}


class Browser:
    """A headless Chromium with one page."""

    def __init__(self, program: str) -> None:
        self.profile = tempfile.mkdtemp()
        to_browser, self.write = os.pipe()
        self.read, from_browser = os.pipe()
        flags = "--headless=new --no-sandbox --disable-gpu --hide-scrollbars --disable-dev-shm-usage --remote-debugging-pipe"
        command = f"exec {shlex.quote(program)} {flags} --user-data-dir={self.profile} about:blank 3<&{to_browser} 4>&{from_browser}"
        self.process = subprocess.Popen(  # noqa: S603 - the browser that was asked for
            ["/bin/bash", "-c", command], pass_fds=(to_browser, from_browser), stderr=subprocess.DEVNULL
        )
        os.close(to_browser)
        os.close(from_browser)
        self.buffer, self.number, self.events = b"", 0, []
        self.session: str | None = None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> Any:
        """One command; its result."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.next()
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise SystemExit(f"{method}: {answer['error']}")
                return answer["result"]
            self.events.append(answer)

    def next(self) -> Any:
        """The next message of the browser."""
        while b"\0" not in self.buffer:
            part = os.read(self.read, 1 << 20)
            if not part:
                raise SystemExit("the browser ended")
            self.buffer += part
        line, _, self.buffer = self.buffer.partition(b"\0")
        return json.loads(line)

    def wait(self, method: str) -> None:
        """Until an event of that name."""
        while not any(event.get("method") == method for event in self.events):
            self.events.append(self.next())

    def open(self, url: str) -> None:
        """Loads a page to its end."""
        self.events = [event for event in self.events if event.get("method") != "Page.loadEventFired"]
        self.call("Page.navigate", url=url)
        self.wait("Page.loadEventFired")

    def js(self, expression: str) -> Any:
        """The value of an expression in the page."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            raise SystemExit(f"{expression}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def shot(self, path: Path, **clip: Any) -> None:
        """A screenshot of the viewport, or of a part of the page."""
        options: dict[str, Any] = {"format": "png"}
        if clip:
            options |= {"clip": {**clip, "scale": 1}, "captureBeyondViewport": True}
        path.write_bytes(smaller(base64.b64decode(self.call("Page.captureScreenshot", **options)["data"])))

    def problems(self) -> list[str]:
        """What the page complained of, and every request it made beyond itself."""
        found: list[str] = []
        for event in self.events:
            method, params = event.get("method"), event.get("params", {})
            if method == "Runtime.exceptionThrown":
                found.append(str(params["exceptionDetails"].get("exception", {}).get("description")))
            elif method == "Log.entryAdded" and params["entry"]["level"] == "error":
                found.append(params["entry"]["text"])
            elif method == "Network.requestWillBeSent" and not params["request"]["url"].startswith(
                ("file:", "blob:", "data:")
            ):
                found.append(f"request to {params['request']['url']}")
        return found

    def close(self) -> None:
        """Ends the browser."""
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.profile, ignore_errors=True)


def smaller(png: bytes) -> bytes:
    """The same picture, compressed as far as PNG goes with its filters as they are."""
    out, at, data = png[:8], 8, b""
    while at < len(png):
        size = int.from_bytes(png[at : at + 4], "big")
        chunk, kind = png[at : at + 12 + size], png[at + 4 : at + 8]
        at += 12 + size
        if kind == b"IDAT":
            data += chunk[8:-4]
            continue
        if kind == b"IEND":
            packed = zlib.compress(zlib.decompress(data), 9)
            body = b"IDAT" + packed
            out += len(packed).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")
        out += chunk
    return out


def expect(found: Any, what: str) -> None:
    """Ends the check unless it is so."""
    if not found:
        raise SystemExit(f"not so: {what}")
    sys.stdout.write(f"ok: {what}\n")


def check(browser: Browser, url: str, out: Path) -> None:
    """Uses the page as a reader would."""
    box = "(() => {{ const r = document.getElementById('{0}').getBoundingClientRect(); return [r.x, r.y + scrollY, r.width, r.height]; }})()"

    def part(name: str, path: str, tallest: int = 900) -> None:
        if browser.js(f"!!document.getElementById('{name}')"):
            x, y, width, height = browser.js(box.format(name))
            browser.shot(
                out / path, x=max(x - 12, 0), y=max(y - 4, 0), width=width + 24, height=min(height + 12, tallest)
            )

    browser.call("Emulation.setDeviceMetricsOverride", **SETTINGS)
    for scheme in ("light", "dark"):
        browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        browser.open(url)
        if scheme == "light":
            browser.shot(out / "report-light.png")
            for name in ("compare", "cost", "decisions", "alarms"):
                part(name, f"report-{name}.png")
            continue
        # The traces of a group with several samples say more than the first group does.
        group = browser.js(GROUP)
        browser.open("about:blank")  # an address that differs in its end alone is no new page
        browser.open(f"{url}#group={group}")
        part("traces", "report-traces-dark.png")
    expect(browser.js("document.querySelectorAll('.chart svg path').length") > 0, "curves are drawn")
    expect(browser.js("document.documentElement.scrollWidth <= innerWidth"), "nothing is wider than the page")
    overlap = """(() => { for (const card of document.querySelectorAll('.sample header')) {
      const parts = [...card.children].map((e) => e.getBoundingClientRect());
      for (let i = 1; i < parts.length; i += 1) if (parts[i].left < parts[i - 1].right - 0.5 && parts[i].top < parts[i - 1].bottom - 0.5) return card.textContent;
    } return ''; })()"""
    expect(browser.js(overlap) == "", "the headings of samples do not overlap")
    expect(browser.js("document.querySelectorAll('#traces .sample').length") > 0, "traces are shown")
    browser.js("document.querySelector('#traces .mark.accept').click()")
    browser.js("new Promise((done) => setTimeout(done, 50))")
    expect(
        browser.js("document.querySelector('#traces .mark.accept').getAttribute('aria-pressed') === 'true'"),
        "a sample is accepted",
    )
    expect("1 accepted" in browser.js("document.getElementById('review-state').textContent"), "the marks are counted")
    lines = browser.js("reviewLines(REVIEWS, 0) + reviewLines(REVIEWS, 1)")
    row = json.loads(lines)
    expect(
        row["mark"] == "accept" and {"stage", "step", "group_id", "index", "note"} <= set(row),
        "the download is a line of reviews.jsonl",
    )
    search = "(() => { const box = document.querySelector('#traces input[name=search]'); box.value = 'no such text'; box.dispatchEvent(new Event('input')); return document.querySelector('#traces .lead').textContent; })()"
    expect(browser.js(search).startswith("0 of"), "the filter filters")
    browser.call("Emulation.setDeviceMetricsOverride", **{**SETTINGS, "width": 420})
    browser.open(url)
    expect(
        browser.js("document.documentElement.scrollWidth <= innerWidth"), "a phone shows it without scrolling sideways"
    )
    expect(
        "1 accepted" in browser.js("document.getElementById('review-state').textContent"),
        "marks are there when the page is opened again",
    )
    problems = browser.problems()
    expect(not problems, f"no error and no request {problems or ''}")


def main() -> None:
    """Reads the command line and checks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("report", type=Path)
    parser.add_argument("--chromium", default=shutil.which("chromium") or shutil.which("google-chrome"))
    parser.add_argument("--out", type=Path, default=Path(__file__).parent.parent / "docs" / "img")
    options = parser.parse_args()
    if not options.chromium:
        raise SystemExit("no Chromium found; install one (Debian: apt-get install chromium) or give --chromium PATH")
    if not options.report.is_file():
        raise SystemExit(f"{options.report}: no such file; make one with assay report RUN")
    options.out.mkdir(parents=True, exist_ok=True)
    browser = Browser(options.chromium)
    try:
        check(browser, options.report.resolve().as_uri(), options.out)
    finally:
        browser.close()


if __name__ == "__main__":
    main()
