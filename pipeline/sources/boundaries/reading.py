"""Vector files → attribute tables and shapes: one file, several, a folder, a glob, an archive.

Everything that GDAL reads with polygons in it. Which layer, which files and which encoding is
decided by what the files hold, or asked. Does not belong here: what columns mean
(`communes.py`), where the shapes lie (`crs.py`), whether they are sound (`repair.py`).
"""

from __future__ import annotations

import glob
import re
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import shapely

from pipeline.schema.errors import Fault, UserFault, fault
from pipeline.schema.texts import said
from pipeline.sources.boundaries import encodings

SUFFIXES = (
    ".geojson", ".json", ".topojson", ".gpkg", ".shp", ".kml", ".kmz", ".fgb", ".parquet",
    ".geoparquet", ".tab", ".mif", ".gml", ".sqlite", ".gdb", ".zip",
)  # fmt: skip
# files that belong to another one or say something of it
_BESIDE = (
    ".dbf", ".shx", ".prj", ".cpg", ".qix", ".sbn", ".sbx", ".xml", ".qmd", ".qml", ".md", ".txt",
    ".dat", ".map", ".id", ".ind", ".mid", ".xsd", ".gfs", ".toml", ".sha256", ".csv", ".pdf",
)  # fmt: skip
_ONE_LAYER = (".geojson", ".shp", ".fgb", ".tab", ".mif")
_PARQUET = (".parquet", ".geoparquet")
_DBF = (".shp", ".tab", ".mif")  # formats whose texts are bytes of an encoding that may be unstated
_MAX_UNPACKED = 8 << 30  # bytes of an archive's vector files; more is refused
_QUOTED = re.compile(rb'"[^"]*[\x80-\xff][^"]*"')
_NAMED = 8  # items that a message names
EXPECTED = "GeoJSON, GeoPackage, Shapefile, KML, FlatGeobuf, GeoParquet, MapInfo"


@dataclass(frozen=True)
class Part:
    """What one layer of one file holds."""

    file: str  # its name in messages
    source: str  # what GDAL opens
    layer: str | None
    frame: gpd.GeoDataFrame  # 2D; the CRS that the file states, or None


@dataclass(frozen=True)
class Raw:
    """All parts, in order of their files, and what is to be said of the reading."""

    parts: tuple[Part, ...]
    files: tuple[Path, ...]
    name: str  # of all together in messages
    notes: list[Fault] = field(default_factory=list)

    @property
    def attributes(self) -> pd.DataFrame:
        """The columns of all parts one below the other, without shapes, numbered from 0."""
        frames = [pd.DataFrame(p.frame.drop(columns=p.frame.geometry.name)) for p in self.parts]
        return frames[0] if len(frames) == 1 else pd.concat(frames, ignore_index=True)

    @property
    def places(self) -> list[tuple[str, int]]:
        """(file, row from 1) of every row."""
        return [(p.file, row) for p in self.parts for row in range(1, len(p.frame) + 1)]


@dataclass(frozen=True)
class Layer:
    """A layer of a file: its name, number of features and kind of shapes."""

    name: str
    count: int
    kind: str

    def __str__(self) -> str:
        """The layer as a message names it."""
        return f"{self.name} ({self.count} × {self.kind})"


def read_raw(
    paths: Path | Sequence[Path], *, layer: str | None = None, encoding: str | None = None
) -> Raw:
    """The features of files, folders, globs or archives.

    Raises `UserFault`: nothing there, empty or unreadable files, files of several formats, several
    layers with polygons, an encoding that is open.
    """
    wanted = (paths,) if isinstance(paths, Path) else tuple(paths)
    notes: list[Fault] = []
    files = boundary_files(wanted, notes)
    several = len(files) > 1
    name = wanted[0].name if len(wanted) == 1 else ", ".join(p.name for p in wanted[:_NAMED])
    parts: list[Part] = []
    faults: list[Fault] = []
    for path, label in zip(files, _labels(files), strict=True):
        try:
            for source, shown in _sources(path, label):
                part = _part(source, shown, layer, encoding, notes, may_be_empty=several)
                if part is not None:
                    parts.append(part)
        except UserFault as error:
            faults += error.faults
    if faults:
        raise UserFault(faults)
    if not any(len(part.frame) for part in parts):
        raise fault("empty_file", name)
    return Raw(tuple(parts), tuple(files), name, notes)


def boundary_files(wanted: Sequence[Path], notes: list[Fault] | None = None) -> list[Path]:
    """The files that paths, folders and globs mean, sorted. Raises `UserFault` for each without."""
    found: list[Path] = []
    faults: list[Fault] = []
    for path in wanted:
        met = _expanded(path, notes)
        if not met:
            code = "empty_boundary_folder" if path.is_dir() else "missing_file"
            code = "empty_glob" if glob.has_magic(str(path)) and not path.is_dir() else code
            faults.append(Fault(code, str(path), values={"expected": EXPECTED}))
        formats = Counter(p.suffix.lower() for p in met)
        if len(formats) > 1 and path.is_dir():
            counts = [f"{n} × *{suffix}" for suffix, n in sorted(formats.items())]
            usual = max(sorted(formats), key=lambda suffix: formats[suffix])
            line = f'path = "{path.name}/**/*{usual}"'
            faults.append(
                Fault("boundary_formats", path.name, values={"found": counts, "lines": line})
            )
        found += met
    if faults:
        raise UserFault(faults)
    return sorted(dict.fromkeys(found))


def _expanded(path: Path, notes: list[Fault] | None) -> list[Path]:
    if path.suffix.lower() == ".gdb" and path.is_dir():
        return [path]
    if path.is_dir():
        inside = [p for p in path.rglob("*") if not p.name.startswith((".", "~$"))]
        bases = [p for p in inside if p.is_dir() and p.suffix.lower() == ".gdb"]
        plain = [p for p in inside if p.is_file() and not set(p.parents) & set(bases)]
        met = bases + [p for p in plain if p.suffix.lower() in SUFFIXES]
        passed = sorted(p.name for p in plain if p.suffix.lower() not in (*SUFFIXES, *_BESIDE))
        if passed and notes is not None:
            notes.append(
                Fault("passed_over", path.name, values={"found": passed, "expected": EXPECTED})
            )
        return met
    if path.exists():
        return [path]
    met = [Path(p) for p in glob.glob(str(path), recursive=True)]  # noqa: PTH207 - absolute patterns
    bases = [p for p in met if p.is_dir() and p.suffix.lower() == ".gdb"]
    return bases + [p for p in met if p.is_file() and p.suffix.lower() not in _BESIDE]


def _labels(files: Sequence[Path]) -> list[str]:
    """Names of files for messages: with their folder where names repeat."""
    counts = Counter(path.name for path in files)
    return [p.name if counts[p.name] == 1 else "/".join(p.parts[-2:]) for p in files]


def _sources(path: Path, label: str) -> list[tuple[str, str]]:
    """(what GDAL opens, name in messages) of a file: of an archive, its vector files."""
    suffix = path.suffix.lower()
    if path.is_file() and path.stat().st_size == 0:
        raise fault("empty_file", label)
    if suffix not in (".zip", ".kmz"):
        return [(str(path), label)]
    try:
        with zipfile.ZipFile(path) as archive:
            entries = [e for e in archive.infolist() if not e.is_dir()]
    except (zipfile.BadZipFile, OSError) as error:
        raise _unreadable(label, error) from None
    if any(entry.flag_bits & 1 for entry in entries):
        raise fault("locked_archive", label)
    chosen: dict[str, int] = {}
    for entry in entries:
        inner = PurePosixPath(entry.filename)
        hidden = any(part.startswith((".", "__MACOSX")) for part in inner.parts)
        bases = [p for p in inner.parents if p.suffix.lower() == ".gdb"]
        base = bases[0] if bases else inner
        if not hidden and base.suffix.lower() in SUFFIXES and base.suffix.lower() != ".zip":
            chosen[str(base)] = chosen.get(str(base), 0) + entry.file_size
    if sum(chosen.values()) > _MAX_UNPACKED:
        raise fault("archive_too_large", label, found=sum(chosen.values()) >> 30, limit=8)
    formats = {PurePosixPath(name).suffix.lower() for name in chosen}
    if not chosen:
        raise fault("unreadable_file", label, found=said("no_vector_file"), expected=EXPECTED)
    if len(formats) > 1:
        shown = sorted(chosen)[:_NAMED]
        raise fault("archive_formats", label, found=shown)
    return [
        (f"/vsizip/{{{path}}}/{name}" if "}" not in str(path) else f"/vsizip/{path}/{name}",
         f"{label}/{name}" if len(chosen) > 1 else label)
        for name in sorted(chosen)
    ]  # fmt: skip


def layers_of(source: str, file: str) -> list[Layer]:
    """The layers of a file, with counts and kinds of shapes."""
    found = []
    for name, kind in _opened(file, lambda: pyogrio.list_layers(source)):
        counted = partial(pyogrio.read_info, source, layer=name, force_feature_count=True)
        info = _opened(file, counted)
        found.append(Layer(str(name), int(info["features"]), str(kind or "–")))
    return found


def _part(
    source: str,
    file: str,
    layer: str | None,
    encoding: str | None,
    notes: list[Fault],
    *,
    may_be_empty: bool,
) -> Part | None:
    suffix = PurePosixPath(source).suffix.lower()
    if suffix in _PARQUET:
        frame = _opened(file, lambda: gpd.read_parquet(source))
        chosen = None
    else:
        chosen = _chosen_layer(source, file, suffix, layer, notes)
        frame = _read(source, file, suffix, chosen, encoding, notes)
    if not isinstance(frame, gpd.GeoDataFrame):
        raise fault("no_shapes", file)
    if not len(frame):
        if may_be_empty:
            notes.append(Fault("empty_boundary_file", file))
            return None
        raise fault("empty_file", file)
    if suffix not in _DBF:
        frame = _with_texts_undone(frame, file, encoding, notes)
    flat = shapely.force_2d(frame.geometry.to_numpy())
    return Part(file, source, chosen, frame.set_geometry(flat, crs=frame.crs))


def _chosen_layer(
    source: str, file: str, suffix: str, layer: str | None, notes: list[Fault]
) -> str | None:
    if suffix in _ONE_LAYER and layer is None:
        return None
    found = layers_of(source, file)
    if layer is not None:
        if layer in [one.name for one in found]:
            return layer
        if len(found) == 1 and suffix in _ONE_LAYER:
            return None  # a shapefile's only layer has the file's name; nothing to choose
        raise fault("no_layer", file, found=layer, expected=[str(one) for one in found])
    # a kind that is not stated may be polygons
    able = [o for o in found if o.count and ("Polygon" in o.kind or o.kind in _UNSTATED)]
    able = _with_polygons(source, file, able)
    if len(able) > 1:
        lines = f'layer = "{max(able, key=lambda one: one.count).name}"'
        raise fault("which_boundary_layer", file, found=[str(one) for one in able], lines=lines)
    if not able:
        return found[0].name if found else None  # its rows are reported as without polygons
    if passed := [str(one) for one in found if one.name != able[0].name]:
        notes.append(Fault("other_layers", file, values={"found": passed, "used": str(able[0])}))
    return able[0].name


_UNSTATED = ("Unknown", "GeometryCollection", "3D Unknown", "3D GeometryCollection", "Geometry")


def _with_polygons(source: str, file: str, layers: list[Layer]) -> list[Layer]:
    """Of several layers, those that hold polygons: a KML folder does not state its kind."""
    if len(layers) < 2:
        return layers
    kept = []
    for one in layers:
        if one.kind not in _UNSTATED:
            kept.append(one)
            continue
        shapes = _opened(file, partial(pyogrio.read_dataframe, source, layer=one.name, columns=[]))
        kinds = set(shapes.geometry.dropna().geom_type)
        if kinds & {"Polygon", "MultiPolygon", "GeometryCollection"}:
            kept.append(Layer(one.name, one.count, "/".join(sorted(kinds))))
    return kept


def _read(
    source: str, file: str, suffix: str, layer: str | None, encoding: str | None, notes: list[Fault]
) -> gpd.GeoDataFrame:
    how = {} if layer is None else {"layer": layer}
    if suffix not in _DBF:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                frame: gpd.GeoDataFrame = pyogrio.read_dataframe(source, **how)
            except UnicodeDecodeError:
                return _read_from_bytes(source, file, encoding, notes)
            except Exception as error:  # noqa: BLE001 - whatever GDAL and pyarrow raise
                raise _unreadable(file, error) from None
        _note_warnings(caught, file, notes)
        return frame
    # every byte is a letter of Latin-1, so that the texts' own bytes are at hand
    frame = _opened(file, partial(pyogrio.read_dataframe, source, encoding="ISO-8859-1", **how))
    if not isinstance(frame, gpd.GeoDataFrame):
        raise fault("no_shapes", file)
    texts = _texts_beyond_ascii(frame)
    if not texts:
        return frame
    raw = [text.encode("latin-1") for text in texts]
    if encoding is not None:
        return _replaced(frame, texts, _as_set(raw, encoding, file))
    as_stated = _by_cpg(source, raw) or _by_gdal(source, frame, texts, how)
    reading, warned, questions = encodings.decide(raw, as_stated, file)
    if questions:
        raise UserFault(questions)
    notes += warned
    return _replaced(frame, texts, list(reading.texts))


def _by_cpg(source: str, raw: list[bytes]) -> list[str] | None:
    """Texts as the .cpg file beside a shapefile says; None: there is none, or it cannot be."""
    beside = [p for p in Path(source).parent.glob("*") if p.suffix.lower() == ".cpg"]
    own = [p for p in beside if p.stem == Path(source).stem]
    if not own:
        return None
    name = own[0].read_text(encoding="ascii", errors="replace").strip()
    try:
        return encodings.decoded(raw, f"cp{name}" if name.isdigit() else name)
    except (UnicodeDecodeError, UserFault):
        return None


def _by_gdal(
    source: str, frame: gpd.GeoDataFrame, texts: list[str], how: dict[str, str]
) -> list[str] | None:
    """Texts as GDAL reads them by what the file states; None where that fails."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            stated = pyogrio.read_dataframe(source, **how)
        columns = _text_columns(frame)
        pairs = dict(
            pair
            for column in columns
            for pair in zip(frame[column], stated[column], strict=True)
            if isinstance(pair[0], str) and isinstance(pair[1], str)
        )
        return [pairs[text] for text in texts]
    except (UnicodeDecodeError, KeyError, ValueError):
        return None


def _as_set(raw: list[bytes], encoding: str, file: str) -> list[str]:
    try:
        return encodings.decoded(raw, encoding)
    except UnicodeDecodeError as error:
        found = f"{encoding}: {error.reason}"
        raise fault(
            "bad_boundary_encoding", file, found=found, expected=encodings.names()
        ) from None


def _read_from_bytes(
    source: str, file: str, encoding: str | None, notes: list[Fault]
) -> gpd.GeoDataFrame:
    """A text format such as GeoJSON whose bytes are not the UTF-8 that it must be."""
    try:
        content = Path(source).read_bytes()
    except OSError:
        raise fault("not_utf8", file, expected=encodings.names()) from None
    if encoding is None:
        quoted = sorted({text.strip(b'"') for text in _QUOTED.findall(content)})
        reading, warned, questions = encodings.decide(quoted, None, file)
        if questions:
            raise UserFault(questions)
        notes += warned
        encoding = reading.name
    text = _as_set([content], encoding, file)[0]
    frame: gpd.GeoDataFrame = _opened(file, partial(pyogrio.read_dataframe, text.encode("utf-8")))
    return frame


def _with_texts_undone(
    frame: gpd.GeoDataFrame, file: str, encoding: str | None, notes: list[Fault]
) -> gpd.GeoDataFrame:
    texts = _texts_beyond_ascii(frame)
    if not texts:
        return frame
    if encoding is not None and encoding.lower().replace("-", "") not in ("utf8", "utf8sig"):
        raw = [encodings.bytes_of(text) for text in texts]
        if None not in raw:
            return _replaced(frame, texts, _as_set([b for b in raw if b], encoding, file))
        return frame
    if encoding is not None:
        return frame
    right, warned, questions = encodings.undone(texts, file)
    if questions:
        raise UserFault(questions)
    notes += warned
    return frame if right == texts else _replaced(frame, texts, right)


def _text_columns(frame: gpd.GeoDataFrame) -> list[str]:
    return [
        str(column)
        for column in frame.columns
        if column != frame.geometry.name and pd.api.types.is_string_dtype(frame[column].dropna())
    ]


def _texts_beyond_ascii(frame: gpd.GeoDataFrame) -> list[str]:
    met: set[str] = set()
    for column in _text_columns(frame):
        met |= {t for t in frame[column].dropna() if isinstance(t, str) and not t.isascii()}
    return sorted(met)


def _replaced(
    frame: gpd.GeoDataFrame, texts: Iterable[str], right: Iterable[str]
) -> gpd.GeoDataFrame:
    of = dict(zip(texts, right, strict=True))
    changed = {c: frame[c].map(lambda t: of.get(t, t)) for c in _text_columns(frame)}
    return frame.assign(**changed)


def _opened(file: str, read: Callable[[], Any]) -> Any:  # noqa: ANN401 - what the reader gives
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a driver, on metadata
            return read()
    except Exception as error:  # noqa: BLE001 - whatever GDAL and pyarrow raise
        raise _unreadable(file, error) from None


def _unreadable(file: str, error: Exception) -> UserFault:
    found = (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
    return fault("unreadable_file", file, found=found, expected=EXPECTED)


def _note_warnings(caught: list[warnings.WarningMessage], file: str, notes: list[Fault]) -> None:
    notes += [
        Fault("reader_warning", file, values={"found": text})
        for text in dict.fromkeys(str(one.message)[:160] for one in caught)
    ]


def shapes_of(parts: Sequence[Part]) -> np.ndarray:
    """The shapes of parts one after the other, in whatever CRS they are."""
    return np.concatenate([part.frame.geometry.to_numpy() for part in parts])
