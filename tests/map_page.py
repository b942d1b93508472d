"""The map's page in a browser: what it asks for, complains about, and shows."""

from __future__ import annotations

from pathlib import Path

import pandas as pd


class Seen:
    """A page with everything it asked for and complained about."""

    def __init__(self, browser, path: Path, hash_text: str = "", **context) -> None:
        self.context = browser.new_context(offline=True, **context)
        self.page = self.context.new_page()
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda r: self.requests.append(r.url))
        self.page.on("console", lambda m: self.complaints.append(m.text))
        self.page.on("pageerror", lambda e: self.complaints.append(str(e)))
        self.url = path.resolve().as_uri()
        self.page.goto(self.url + hash_text)

    def ready(self) -> Seen:
        self.page.wait_for_selector("html[data-ready=true]")
        return self


def legend(page) -> dict[str, int]:
    return {
        li.get_attribute("data-key"): int(li.query_selector(".count").inner_text())
        for li in page.query_selector_all("#legend li")
    }


def named(rows: pd.DataFrame) -> pd.DataFrame:
    """Without the rows of all operators together: they are never pooled into one mean."""
    return rows[rows["operator"] != "all"]


def choose(page, operator: str) -> None:
    page.check(f'input[name=operator][value="{operator}"]', force=True)
