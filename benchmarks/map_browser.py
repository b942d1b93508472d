"""`make bench-map`: the map's budgets measured in headless Chromium, beside plain folium.

    python -m benchmarks.map_browser            # prints the table
    python -m benchmarks.map_browser --write    # … and renews it in docs/map.md

Both draw the same cells. Each figure is the median of ROUNDS pages opened anew. Plain folium asks
for ten files of CDNs; they are answered here from the installed Leaflet and with empty files, which
is faster than a network. `x4`: phone viewport, DPR 2, CPU slowed four times. Timings depend on the
machine: compare the columns with each other.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import zlib
from importlib.resources import files
from pathlib import Path
from statistics import median

from playwright.sync_api import Browser, BrowserType, Page, Route, sync_playwright

from benchmarks.map_pages import PEERS, PROJECT

DOCS = Path(__file__).resolve().parents[1] / "docs" / "map.md"
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
ROUNDS = 5
PAGES = (  # name, cells, density, kind
    ("province, usual", 11_192, "usual", PROJECT),
    ("province, full", 11_192, "full", PROJECT),
    ("100,000 cells, usual", 100_000, "usual", PROJECT),
    ("100,000 cells, full", 100_000, "full", PROJECT),
    *((f"folium {peer}", 11_192, "full", peer) for peer in PEERS),
)
# budgets of MAP.md: of a province, of 100,000 cells; a timing may be twice this for noise
BUDGETS = {
    "HTML MB": (1.5, 4.0),
    "zipped MB": (0.7, None),
    "written s": (2.0, None),
    "writer MB": (400, None),
    "first render s": (1.5, 2.5),
    "first render x4 s": (4.0, None),
    "switch ms": (100, 150),
    "switch x4 ms": (300, None),
    "frame p95 ms": (33, None),
    "memory MB": (200, None),
    "requests": (0, 0),
    "errors": (0, 0),
}
OPEN_PROJECT, OPEN_PEER = (
    "html[data-ready=true]",
    "path.leaflet-interactive, .leaflet-overlay-pane canvas",
)
AFTER_PAINT = """() => new Promise(done => requestAnimationFrame(
  () => requestAnimationFrame(() => done(performance.now()))))"""
SWITCH = """async selector => {
  const wait = () => new Promise(done => requestAnimationFrame(() => setTimeout(done)));
  const radios = [...document.querySelectorAll(selector)], times = [];
  for (const radio of [...radios.slice(1), ...radios.slice(0, 1)]) {
    await wait();
    const began = performance.now();
    radio.click();
    await wait();
    times.push(performance.now() - began);
  }
  return times;
}"""
SWITCH_PROJECT, SWITCH_PEER = "input[name=operator]", ".leaflet-control-layers input"
FIND_MAP = "const map = Object.values(window).find(v => v && v.panBy && v.getZoom);"
ZOOM_IN = f"() => {{ {FIND_MAP} map.setZoom(10.5, {{animate: false}}); }}"
PAN = f"""async () => {{
  {FIND_MAP}
  const gaps = [];
  let last = performance.now(), on = true;
  const tick = now => {{ gaps.push(now - last); last = now; if (on) requestAnimationFrame(tick); }};
  requestAnimationFrame(tick);
  for (let i = 0; i < 12; i += 1) {{
    map.panBy([i % 2 ? -180 : 180, i % 3 ? 60 : -60], {{duration: 0.2}});
    await new Promise(done => setTimeout(done, 260));
  }}
  on = false;
  gaps.sort((a, b) => a - b);
  return gaps[Math.floor(gaps.length * 0.95)];
}}"""


def main(*, write: bool) -> int:
    """Measure every page, print the table and each missed budget."""
    chromium = next(
        (found for name in ("chromium", "chromium-browser") if (found := shutil.which(name))), None
    )
    if chromium is None:
        print("no Chromium here: sh tools/install_browser.sh installs it as root on Debian")
        return 1
    rows: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        for title, count, density, kind in PAGES:
            page, written = written_page(folder, count, density, kind)
            rows[title] = written | measured(
                playwright.chromium, chromium, page, is_project=kind == PROJECT
            )
            print(title, rows[title], flush=True)
            page.unlink()
    text = markdown(rows)
    print(text)
    missed = misses(rows)
    print("\n".join(missed) if missed else "every budget is kept")
    if write:
        renewed(text)
    return 1 if missed else 0


def written_page(
    folder: Path, count: int, density: str, kind: str
) -> tuple[Path, dict[str, float]]:
    """(the page, its sizes and the cost of writing it), written by another process."""
    judged, page = folder / f"{count}-{density}.pickle", folder / "page.html"
    command = [sys.executable, "-m", "benchmarks.map_pages"]
    if not judged.exists():
        subprocess.run([*command, "judge", str(judged), str(count), density], check=True)
    printed = subprocess.run(
        [*command, str(judged), str(page), kind], check=True, capture_output=True, text=True
    ).stdout
    seconds, megabytes = (float(v) for v in printed.split())
    content = page.read_bytes()
    sizes = {"HTML MB": len(content) / 1e6, "zipped MB": len(zlib.compress(content, 9)) / 1e6}
    return page, {**sizes, "written s": seconds, "writer MB": megabytes}


def measured(
    chromium: BrowserType, executable: str, page: Path, *, is_project: bool
) -> dict[str, float]:
    """Medians over ROUNDS openings on a desktop and on a slowed phone."""
    found: dict[str, list[float]] = {}
    for _ in range(ROUNDS):
        for slow in (1, 4):
            browser = chromium.launch(executable_path=executable, args=FLAGS)
            try:
                for name, value in opened(browser, page, slow, is_project=is_project).items():
                    found.setdefault(name, []).append(value)
            finally:
                browser.close()
    return {
        name: max(values) if name in ("requests", "errors") else median(values)
        for name, values in found.items()
    }


def opened(browser: Browser, page: Path, slow: int, *, is_project: bool) -> dict[str, float]:
    """Figures of one opening: render, switch of operators, panning, memory, requests, errors."""
    size = {"width": 1366, "height": 768} if slow == 1 else {"width": 390, "height": 844}
    context = browser.new_context(viewport=size, device_scale_factor=1 if slow == 1 else 2)
    tab = context.new_page()
    errors, requests = [], []
    tab.on("pageerror", lambda error: errors.append(str(error)))
    tab.on(
        "console", lambda message: errors.append(message.text) if message.type == "error" else None
    )
    tab.on("request", lambda request: requests.append(request.url))
    tab.route(re.compile("^https?://"), answer)
    context.new_cdp_session(tab).send("Emulation.setCPUThrottlingRate", {"rate": slow})
    tab.goto(page.as_uri(), wait_until="commit")
    tab.wait_for_selector(
        OPEN_PROJECT if is_project else OPEN_PEER, state="attached", timeout=120_000
    )
    first = tab.evaluate(AFTER_PAINT) / 1000
    # both peers draw their cells at every zoom; this map from one zoom above its first view on
    tab.evaluate(ZOOM_IN)
    tab.evaluate(AFTER_PAINT)
    switch = median(tab.evaluate(SWITCH, SWITCH_PROJECT if is_project else SWITCH_PEER))
    outside = [url for url in requests if not url.startswith(page.as_uri())]
    if slow == 4:
        return {"first render x4 s": first, "switch x4 ms": switch}
    return {
        "first render s": first,
        "switch ms": switch,
        "frame p95 ms": tab.evaluate(PAN),
        "memory MB": renderer_mb(tab),
        "requests": len(outside),
        "errors": len(errors),
    }


def answer(route: Route) -> None:
    """A CDN's file from the installed Leaflet, or an empty one."""
    name = route.request.url.rsplit("/", 1)[-1].replace(".min.", ".")
    held = files("js_lib_leaflet").joinpath("static/js_lib_leaflet")
    body = held.joinpath(name).read_bytes() if name in ("leaflet.js", "leaflet.css") else b""
    route.fulfill(body=body, content_type="text/css" if name.endswith("css") else "text/javascript")


def renderer_mb(tab: Page) -> float:
    """Proportional memory of the largest renderer process of this machine: the page's."""
    tab.evaluate("() => window.gc && gc()")
    sizes = [0.0]
    for process in Path("/proc").iterdir():
        try:
            if process.name.isdigit() and b"--type=renderer" in (process / "cmdline").read_bytes():
                pss = re.search(
                    r"^Pss:\s+(\d+)", (process / "smaps_rollup").read_text(), re.MULTILINE
                )
                sizes.append(int(pss[1]) / 1024 if pss else 0.0)
        except OSError:  # it ended meanwhile
            continue
    return max(sizes)


def misses(rows: dict[str, dict[str, float]]) -> list[str]:
    """Budgets that a page of this project misses.

    A hundred thousand full cells have no budget: no month has as many.
    """
    places = {"province, usual": 0, "province, full": 0, "100,000 cells, usual": 1}
    return [
        f"{title}: {name} {rows[title][name]:.3g} > {budget}"
        for title, place in places.items()
        for name, pair in BUDGETS.items()
        if (budget := pair[place]) is not None and rows[title][name] > budget
    ]


def markdown(rows: dict[str, dict[str, float]]) -> str:
    """The table, with the machine it was measured on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    machine = f"{os.cpu_count()} cores, {memory:.0f} GiB, Python {platform.python_version()}"
    head = f"{machine}; medians of {ROUNDS} openings."
    lines = [head, "", "| | " + " | ".join(BUDGETS) + " |", "|---" * (len(BUDGETS) + 1) + "|"]
    for title, row in rows.items():
        lines.append(f"| {title} | " + " | ".join(f"{row[name]:.3g}" for name in BUDGETS) + " |")
    for place, title in ((0, "*budget, province*"), (1, "*budget, 100,000 cells*")):
        shown = ("–" if pair[place] is None else f"{pair[place]:g}" for pair in BUDGETS.values())
        lines.append(f"| {title} | " + " | ".join(shown) + " |")
    return "\n".join(lines)


def renewed(table: str) -> None:
    """Put the table between the marks of docs/map.md."""
    begin, end = "<!-- bench-map: begin -->", "<!-- bench-map: end -->"
    text = DOCS.read_text(encoding="utf-8")
    DOCS.write_text(
        f"{text.split(begin)[0]}{begin}\n{table}\n{end}{text.split(end)[1]}", encoding="utf-8"
    )


if __name__ == "__main__":
    sys.exit(main(write="--write" in sys.argv))
