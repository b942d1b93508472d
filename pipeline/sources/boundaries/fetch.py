"""Boundary files from public sources: https only, bounded, with hash and licence noted.

What is there already is not fetched again, what broke off is resumed. Proxies are those of the
environment (`HTTPS_PROXY`, `NO_PROXY`). The sources stand in `public.toml`.
Does not belong here: reading the files.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import time
import tomllib
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import IO, Any
from urllib.parse import urlsplit

from pipeline import __version__
from pipeline.schema.errors import UserFault, fault

PUBLIC = Path(__file__).with_name("public.toml")
SIDE_FILE = "SOURCE.toml"
_BLOCK = 1 << 16  # bytes that are read at once
_AGAIN = (429, 500, 502, 503, 504)  # answers after which asking again makes sense
_BEGINS = {".geojson": b"{", ".json": b"{", ".zip": b"PK", ".gpkg": b"SQLite", ".kmz": b"PK"}


@dataclass(frozen=True)
class PublicSource:
    """A source: addresses (with {province} and {commune}: one per commune) and its licence."""

    name: str
    title: str
    urls: tuple[str, ...]
    licence: str
    licence_url: str = ""
    homepage: str = ""
    vintage: str = "unstated"
    max_mb: float = 200.0  # of one file
    sha256: Mapping[str, str] = field(default_factory=dict)  # by file name, where known


@dataclass(frozen=True)
class Limits:
    """What a fetch may cost. `plain_hosts`: hosts that may be asked without TLS, for tests only."""

    wait_s: float = 30.0  # without an answer or a byte
    file_s: float = 600.0  # for one file
    attempts: int = 3
    plain_hosts: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Fetched:
    """The folder, its files, how many of them were fetched now, and settings lines to paste."""

    folder: Path
    files: list[Path]
    new: int
    note: str


def public_sources(path: Path | None = None) -> dict[str, PublicSource]:
    """The sources of a list (`public.toml` or the user's own), by name, in its order.

    Raises `UserFault` for a list that is absent or has another form.
    """
    file = path or PUBLIC
    if not file.is_file():
        raise fault("missing_file", file)
    try:
        listed = tomllib.loads(file.read_text(encoding="utf-8"))["sources"]
        made = {
            name: PublicSource(name, **(about | {"urls": tuple(about["urls"])}))
            for name, about in listed.items()
        }
    except (
        tomllib.TOMLDecodeError,
        UnicodeDecodeError,
        KeyError,
        TypeError,
        AttributeError,
    ) as error:
        raise fault("bad_public_sources", file.name, found=str(error)) from None
    if not made:
        raise fault("bad_public_sources", file.name, found="sources")
    return made


def fetched(
    source: PublicSource, out: Path, *, province: str | None = None, limits: Limits = Limits()
) -> Fetched:
    """Fetch a source's files into a folder under `out`, with `SOURCE.toml` beside them.

    `province`: official code or name, for sources by commune. Raises `UserFault`: address not
    https, no answer, an answer that is broken, too large, too slow or of another hash, a file that
    was changed since it was fetched.
    """
    wanted, folder = _wanted(source, out, province)
    folder.mkdir(parents=True, exist_ok=True)
    known = _side_file(folder)
    new = 0
    for name, url in wanted.items():
        target = folder / name
        if target.exists() and _is_known(target, known.get(name), source.sha256.get(name)):
            continue
        etag = _download(source, url, target, limits)
        known[name] = {
            "url": url,
            "sha256": _hash(target),
            "bytes": target.stat().st_size,
            "etag": etag,
        }
        new += 1
        _write_side_file(folder, source, known)  # what broke off later keeps its books
    lines = f"path = {json.dumps(str(folder))}, vintage = {json.dumps(source.vintage)}"
    return Fetched(folder, [folder / name for name in wanted], new, lines)


def _wanted(source: PublicSource, out: Path, province: str | None) -> tuple[dict[str, str], Path]:
    """({file name: address}, folder)."""
    if not any("{" in url for url in source.urls):
        names = [PurePosixPath(urlsplit(url).path).name or "boundaries" for url in source.urls]
        return dict(zip(names, source.urls, strict=True)), out / source.name
    if province is None:
        raise fault("province_needed", "--province", found=source.name)
    from pipeline.sources.boundaries import official

    unit, units = official.units_of(province)
    made = {}
    for url in source.urls:
        suffix = PurePosixPath(urlsplit(url).path).suffix
        for one in units if "{commune}" in url else [unit]:
            made[one + suffix] = url.replace("{province}", unit).replace("{commune}", one)
    return made, out / unit


def _side_file(folder: Path) -> dict[str, Any]:
    file = folder / SIDE_FILE
    if not file.is_file():
        return {}
    try:
        return dict(tomllib.loads(file.read_text(encoding="utf-8")).get("files", {}))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        return {}


def _write_side_file(folder: Path, source: PublicSource, files: Mapping[str, Any]) -> None:
    about = {
        "source": source.name,
        "title": source.title,
        "homepage": source.homepage,
        "licence": source.licence,
        "licence_url": source.licence_url,
        "vintage": source.vintage,
        "fetched": datetime.now(UTC).strftime("%Y-%m-%d"),
        "fetched_by": f"lomsong {__version__}",
    }
    lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in about.items()]
    for name, facts in sorted(files.items()):
        lines += ["", f"[files.{json.dumps(name, ensure_ascii=False)}]"]
        lines += [f"{k} = {json.dumps(v, ensure_ascii=False)}" for k, v in facts.items()]
    made = folder / f".{SIDE_FILE}.part"
    made.write_text("\n".join(lines) + "\n", encoding="utf-8")
    made.replace(folder / SIDE_FILE)


def _is_known(target: Path, facts: Mapping[str, Any] | None, expected: str | None) -> bool:
    """Whether a file is as it was fetched. Raises `UserFault` where someone changed it."""
    found = _hash(target)
    if found in (expected, (facts or {}).get("sha256")):
        return True
    raise fault("fetched_file_changed", target)


def _hash(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


class _OnlyTls(urllib.request.HTTPRedirectHandler):
    """Follows a redirection only where the new address may be asked."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        """The request for the new address; raises `UserFault` for one without TLS."""
        try:
            _may_ask(newurl, self.limits)
        except UserFault:
            fp.close()
            raise
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _may_ask(url: str, limits: Limits) -> None:
    parts = urlsplit(url)
    if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in limits.plain_hosts):
        return
    raise fault("not_https", found=url)


def _download(source: PublicSource, url: str, target: Path, limits: Limits) -> str:
    """Fetch one file to its place, resuming what is there of it; gives the server's ETag."""
    _may_ask(url, limits)
    part = target.with_name(target.name + ".part")
    deadline = time.monotonic() + limits.file_s
    opener = urllib.request.build_opener(_OnlyTls(limits))
    problem: UserFault | None = None
    for _ in range(limits.attempts):
        try:
            etag = _one_attempt(opener, source, url, part, limits, deadline)
            break
        except _BrokenOffError as error:
            problem = fault("fetch_failed", url, found=str(error))
    else:
        assert problem is not None
        raise problem
    _examine(source, url, part, target)
    part.replace(target)
    _tag_of(part).unlink(missing_ok=True)
    return etag


def _tag_of(part: Path) -> Path:
    """Where the ETag of a part is kept: it shows whether the rest is of the same content."""
    return part.with_name(part.name + ".etag")


class _BrokenOffError(Exception):
    """The answer broke off; what came is kept, and asking again goes on from there."""


def _one_attempt(
    opener: urllib.request.OpenerDirector,
    source: PublicSource,
    url: str,
    part: Path,
    limits: Limits,
    deadline: float,
) -> str:
    tag = _tag_of(part)
    # `_may_ask` has seen the address's scheme
    request = urllib.request.Request(  # noqa: S310
        url, headers={"User-Agent": f"lomsong/{__version__}"}
    )
    have = part.stat().st_size if part.exists() and tag.exists() else 0
    if have:  # the same content only: else the server sends the whole
        request.add_header("Range", f"bytes={have}-")
        request.add_header("If-Range", tag.read_text(encoding="ascii"))
    try:
        with opener.open(request, timeout=limits.wait_s) as answer:
            return _kept(answer, source, url, part, deadline=deadline, limits=limits)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416:  # the part is not of this content
            part.unlink(missing_ok=True)
            raise _BrokenOffError("416") from None
        if error.code in _AGAIN:
            raise _BrokenOffError(f"{error.code} {error.reason}") from None
        raise fault("fetch_failed", url, found=f"{error.code} {error.reason}") from None
    except TimeoutError:
        raise fault("fetch_slow", url, limit=f"{limits.wait_s:g}") from None
    except urllib.error.URLError as error:
        if isinstance(error.reason, TimeoutError):
            raise fault("fetch_slow", url, limit=f"{limits.wait_s:g}") from None
        raise _BrokenOffError(str(error.reason)) from None
    except (ConnectionError, http.client.HTTPException) as error:
        raise _BrokenOffError(str(error) or type(error).__name__) from None


def _kept(
    answer: http.client.HTTPResponse,
    source: PublicSource,
    url: str,
    part: Path,
    *,
    deadline: float,
    limits: Limits,
) -> str:
    """Write an answer to the part; gives its ETag. Raises where it is too large, slow or short."""
    tag, limit = _tag_of(part), int(source.max_mb * 1e6)
    have = part.stat().st_size if part.exists() else 0
    goes_on = answer.status == 206 and str(answer.headers.get("Content-Range", "")).startswith(
        f"bytes {have}-"
    )
    start = have if goes_on else 0
    length = answer.headers.get("Content-Length")
    expected = start + int(length) if length and length.isdigit() else None
    if expected is not None and expected > limit:
        raise fault("fetch_too_large", url, limit=f"{source.max_mb:g}")
    etag = str(answer.headers.get("ETag") or "")
    if etag and etag.isascii() and not etag.startswith("W/"):
        tag.write_text(etag, encoding="ascii")
    else:
        tag.unlink(missing_ok=True)  # nothing would show that it is the same content
    size = start
    with part.open("ab" if goes_on else "wb") as stream:
        while block := answer.read1(_BLOCK):
            size += len(block)
            if size > limit:
                part.unlink()
                raise fault("fetch_too_large", url, limit=f"{source.max_mb:g}")
            if time.monotonic() > deadline:
                raise fault("fetch_slow", url, limit=f"{limits.file_s:g}")
            stream.write(block)
    if expected is not None and size < expected:
        raise _BrokenOffError(f"{size} / {expected} B")
    return etag


def _examine(source: PublicSource, url: str, part: Path, target: Path) -> None:
    """Raises `UserFault` where the content is not what it should be; the part is then removed."""
    expected = source.sha256.get(target.name)
    found = _hash(part)
    with part.open("rb") as stream:
        head = stream.read(64).lstrip(b"\xef\xbb\xbf \t\r\n")
    begins = _BEGINS.get(target.suffix.lower(), b"")
    if expected is not None and found != expected:
        part.unlink()
        raise fault("fetch_hash", url, found=found, expected=expected)
    if not head.startswith(begins):
        part.unlink()
        raise fault("fetch_no_boundaries", url, found=head[:20].decode("ascii", "replace"))
