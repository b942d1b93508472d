"""`lomsong boundaries fetch` against a local server that misbehaves in every usual way."""

from __future__ import annotations

import hashlib
import threading
import tomllib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest

from pipeline.schema import texts
from pipeline.schema.errors import UserFault
from pipeline.sources.boundaries import fetch, official
from pipeline.sources.boundaries.fetch import Limits, PublicSource, fetched, public_sources
from tests.builders import run_lomsong

CONTENT = b'{"type": "FeatureCollection", "features": [' + b" " * 200_000 + b"]}"
LOCAL = Limits(wait_s=5, file_s=20, plain_hosts=frozenset({"127.0.0.1"}))


class Server(ThreadingHTTPServer):
    """Answers by path; `asked` lists (path, Range header)."""

    daemon_threads = False  # closing waits for the answers

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, str | None]] = []
        self.ended = threading.Event()
        self.cut = 0  # answers that are still to be cut short
        self.busy = 0  # answers of 503 that are still to come

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    """Faults by the name that is asked for."""

    server: Server

    def log_message(self, *_: object) -> None:
        """Keep requests out of the tests' output."""

    def do_GET(self) -> None:  # noqa: PLR0911 - a fault each
        path = urlsplit(self.path).path
        self.server.asked.append((path, self.headers.get("Range")))
        name = path.rsplit("/", 1)[-1]
        if name == "absent.geojson":
            return self.send_error(404)
        if name == "busy.geojson" and self.server.busy > 0:
            self.server.busy -= 1
            return self.send_error(503)
        if name.startswith("redirect"):
            there = {
                "redirect.geojson": "/b.geojson",
                "redirect_http.geojson": "http://example.invalid/b.geojson",
            }[name]
            self.send_response(302)
            self.send_header("Location", there)
            self.send_header("Content-Length", "0")
            return self.end_headers()
        if name == "silent.geojson":
            self.server.ended.wait(20)
            return None
        if name == "portal.geojson":
            return self.answer(b"<html>log in</html>", etag='"p"')
        if name == "endless.geojson":
            return self.endless()
        return self.answer(
            CONTENT,
            etag='"changed"'
            if name == "changing.geojson" and len(self.server.asked) > 1
            else '"1"',
        )

    def endless(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"{")
        try:
            while not self.server.ended.is_set():
                self.wfile.write(b" " * 65536)
        except OSError:
            self.close_connection = True

    def answer(self, content: bytes, etag: str) -> None:
        start, asked = 0, self.headers.get("Range")
        if asked and self.headers.get("If-Range") == etag:
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        self.send_header("ETag", etag)
        self.end_headers()
        body = content[start:]
        if self.server.cut > 0:
            self.server.cut -= 1
            body = body[: len(body) // 2]
            self.close_connection = True
        self.wfile.write(body)


@pytest.fixture
def server(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    made = Server()
    thread = threading.Thread(target=made.serve_forever, daemon=True)
    thread.start()
    yield made
    made.ended.set()
    made.shutdown()
    made.server_close()
    thread.join()


def source(server, name="b.geojson", **about) -> PublicSource:
    return PublicSource(
        "test", "Test", (f"{server.url}/{name}",), "MIT", vintage="2025-07-01", **about
    )


def refused(server, tmp_path, name="b.geojson", limits=LOCAL, **about) -> str:
    with pytest.raises(UserFault) as caught:
        fetched(source(server, name, **about), tmp_path, limits=limits)
    (found,) = caught.value.faults
    for lang in texts.languages():
        assert texts.error_message(found, lang)
    assert not (tmp_path / "test" / name).exists()
    return found.code


def test_a_file_comes_with_its_hash_and_licence_and_is_not_fetched_twice(server, tmp_path):
    done = fetched(source(server), tmp_path, limits=LOCAL)
    assert done.files[0].read_bytes() == CONTENT
    side = tomllib.loads((done.folder / "SOURCE.toml").read_text(encoding="utf-8"))
    assert side["licence"] == "MIT"
    assert side["files"]["b.geojson"]["sha256"] == hashlib.sha256(CONTENT).hexdigest()
    assert side["files"]["b.geojson"]["url"].endswith("/b.geojson")
    again = fetched(source(server), tmp_path, limits=LOCAL)
    assert (done.new, again.new) == (1, 0)
    assert len(server.asked) == 1
    assert sorted(p.name for p in done.folder.iterdir()) == ["SOURCE.toml", "b.geojson"]


def test_a_file_that_someone_changed_is_not_overwritten(server, tmp_path):
    done = fetched(source(server), tmp_path, limits=LOCAL)
    done.files[0].write_text("{}")
    with pytest.raises(UserFault) as caught:
        fetched(source(server), tmp_path, limits=LOCAL)
    assert caught.value.faults[0].code == "fetched_file_changed"
    assert done.files[0].read_text() == "{}"


def test_an_answer_that_breaks_off_is_resumed_where_it_ended(server, tmp_path):
    server.cut = 2
    done = fetched(source(server), tmp_path, limits=LOCAL)
    assert done.files[0].read_bytes() == CONTENT
    ranges = [asked for _, asked in server.asked]
    half = len(CONTENT) // 2
    assert ranges == [None, f"bytes={half}-", f"bytes={half + (len(CONTENT) - half) // 2}-"]


def test_what_came_is_kept_for_the_next_call(server, tmp_path):
    server.cut = 3
    assert refused(server, tmp_path) == "fetch_failed"
    assert (tmp_path / "test" / "b.geojson.part").stat().st_size > 100_000
    done = fetched(source(server), tmp_path, limits=LOCAL)
    assert done.files[0].read_bytes() == CONTENT
    assert server.asked[-1][1] is not None


def test_a_file_that_changed_meanwhile_is_fetched_whole(server, tmp_path):
    server.cut = 1
    done = fetched(source(server, "changing.geojson"), tmp_path, limits=LOCAL)
    assert done.files[0].read_bytes() == CONTENT
    assert server.asked[1][1] is not None  # asked for the rest, got the whole


def test_a_busy_server_is_asked_again(server, tmp_path):
    server.busy = 2
    assert fetched(source(server, "busy.geojson"), tmp_path, limits=LOCAL).new == 1
    server.busy = 3
    other = tmp_path / "other"
    assert refused(server, other, "busy.geojson") == "fetch_failed"


def test_hash_size_pages_absence_and_silence_are_faults(server, tmp_path):
    wrong = {"b.geojson": "0" * 64}
    assert refused(server, tmp_path, sha256=wrong) == "fetch_hash"
    assert refused(server, tmp_path, max_mb=0.1) == "fetch_too_large"
    assert refused(server, tmp_path, "endless.geojson", max_mb=0.3) == "fetch_too_large"
    assert refused(server, tmp_path, "absent.geojson") == "fetch_failed"
    assert refused(server, tmp_path, "portal.geojson") == "fetch_no_boundaries"
    short = Limits(wait_s=0.2, plain_hosts=LOCAL.plain_hosts)
    assert refused(server, tmp_path, "silent.geojson", short) == "fetch_slow"
    over = Limits(wait_s=5, file_s=-1, plain_hosts=LOCAL.plain_hosts)
    assert refused(server, tmp_path, "endless.geojson", over) == "fetch_slow"
    right = {"b.geojson": hashlib.sha256(CONTENT).hexdigest()}
    assert fetched(source(server, sha256=right), tmp_path, limits=LOCAL).new == 1


def test_nothing_is_asked_without_tls(server, tmp_path):
    assert refused(server, tmp_path, limits=Limits()) == "not_https"
    assert server.asked == []
    assert refused(server, tmp_path, "redirect_http.geojson") == "not_https"
    assert fetched(source(server, "redirect.geojson"), tmp_path, limits=LOCAL).new == 1
    listed = tmp_path / "mine.toml"
    listed.write_text(
        f'[sources.mine]\ntitle = "x"\nlicence = "MIT"\nurls = ["{server.url}/b.geojson"]\n'
    )
    code, text = run_lomsong(
        "boundaries", "fetch", "--sources", listed, "--out", tmp_path / "o", "--lang", "en"
    )
    assert code == 2
    assert "only https" in text


def test_a_server_that_is_not_there_is_a_fault(server, tmp_path):
    nowhere = PublicSource("test", "Test", ("http://127.0.0.1:9/b.geojson",), "MIT")
    with pytest.raises(UserFault) as caught:
        fetched(nowhere, tmp_path, limits=LOCAL)
    assert caught.value.faults[0].code == "fetch_failed"


def test_a_province_is_one_folder_of_its_communes(server, tmp_path):
    by_commune = PublicSource(
        "test", "T", (f"{server.url}/{{province}}/wards/{{commune}}.geojson",), "MIT"
    )
    done = fetched(by_commune, tmp_path, province="12", limits=LOCAL)
    province, units = official.units_of("lai chau")
    assert done.folder == tmp_path / province == tmp_path / "12_lai_chau"
    assert len(done.files) == len(units) == 38
    assert ("/12_lai_chau/wards/03388_doan_ket.geojson", None) in server.asked
    for wrong in ("99", "Atlantis"):
        with pytest.raises(UserFault) as caught:
            fetched(by_commune, tmp_path, province=wrong, limits=LOCAL)
        assert caught.value.faults[0].code == "unknown_province"
    with pytest.raises(UserFault) as caught:
        fetched(by_commune, tmp_path, limits=LOCAL)
    assert caught.value.faults[0].code == "province_needed"


def test_the_programs_own_sources_are_https_with_a_licence():
    listed = public_sources()
    assert next(iter(listed)) == "vietnam-2025"
    for one in listed.values():
        assert all(url.startswith("https://") for url in one.urls)
        assert one.licence
        assert one.homepage
    assert fetch.PUBLIC.is_file()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[sources]\n",
        "sources = 1",
        "[sources.a]\ntitle = 'x'\n",
        "[sources.a\n",
        "[sources.a]\ntitle='x'\nlicence='y'\nurls=['https://a.b/c']\nsize=3\n",
    ],
)
def test_a_list_of_another_form_is_a_fault(tmp_path, text):
    file = tmp_path / "s.toml"
    file.write_text(text)
    code, said = run_lomsong("boundaries", "fetch", "--sources", file, "--out", tmp_path / "o")
    assert code == 2
    assert "s.toml" in said


def test_an_unknown_source_lists_the_known_ones(tmp_path):
    code, text = run_lomsong(
        "boundaries", "fetch", "--source", "x", "--out", tmp_path, "--lang", "en"
    )
    assert code == 2
    assert "vietnam-2025" in text
