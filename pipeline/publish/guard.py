"""The check of finished files: no device id, no position of a test, no small group's speed.

METHOD §7. It reads what was written, not what was meant to be written (`finished_files.py`): every
file by itself, those in packs too.

What is matched:

- columns, in CSV, Parquet, GeoPackage layers, sheets, tables of DOCX, KML and JSON: those declared
  as identifying and those that only inner tables have, by name or heading; in CSV, Parquet and
  GeoPackage also texts of a column that is not declared;
- points, but for those of the list of villages that their rows give;
- figures of a village without a number of devices: too few tried;
- figures of groups smaller than `min_devices`, where a table counts its devices, and on the map's
  page: columns are private by their declarations, and numbers that are not declared are private;
- device ids by their fingerprints: whole cells, the parts of `;`-separated ones, and every word of
  running text.

What cannot be matched: ids of fewer than 8 or more than 128 characters or without a digit, numbers
of fewer than 12 digits (they stand in files by themselves); ids that equal a date, a decimal
number, an H3 cell or a text of the settings and boundaries (`own_texts`; a reader cannot tell them
apart either); ids that were cut, hashed or respelled; what pictures and PDF show (the PDF is made
from the DOCX). Does not belong here: suppressing (`schema/privacy.py`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h3
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from pipeline.measurements.fingerprints import of_texts
from pipeline.publish.finished_files import Columns, Content, contents
from pipeline.publish.gap_map.page_columns import carried_columns
from pipeline.schema.columns import FIELDS, PUBLISHED_AS, TABLES
from pipeline.schema.fields import ALL
from pipeline.schema.privacy import forbidden_columns, identifying_columns
from pipeline.verdicts.villages import HIDDEN

if TYPE_CHECKING:
    from pipeline.schema.month import Month

_MARKS = b"_.:-"  # of which, with letters and digits, ids are made; what else there is parts them
_PARTED = bytes(c if (chr(c).isalnum() and c < 128) or c in _MARKS else 32 for c in range(256))
_SHORTEST, _LONGEST = 8, 128  # characters of an id that tells anything, and of one at all
_DIGIT, _MARKED = re.compile(r"\d"), re.compile(r"[_.:-]")
_DATE = r"\d{4}-\d\d(?:-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?Z?)?)?"
_DECIMAL = r"[+-]?\d+[.,]\d+(?:e[+-]?\d+)?"
_DATE_OR_DECIMAL = re.compile(f"{_DATE}|{_DECIMAL}")
_CLOSED = (".csv", ".parquet", ".gpkg")  # whose columns are all declared
_ADDED = "notice"  # by the writers
_OF_SETTINGS = {"settings", "labels"}  # they name columns of sources, and places on the map


class PrivacyBreach(AssertionError):
    """A fault of the program: a finished file holds what must not leave the pipeline.

    The outputs are not swapped in.
    """


def examine(
    folder: Path,
    *,
    device_prints: npt.NDArray[np.uint64],
    min_devices: int,
    ours: Callable[[], Iterable[str]] = tuple,
    pattern: str = "**/*",
) -> int:
    """Number of files read below `folder`; raises `PrivacyBreach` with all that is wrong.

    `device_prints`: fingerprints of the device ids, ascending: ids themselves do not come this far.
    `ours`: gives texts that are published whether or not a device is called so (`own_texts`); asked
    only where an id was met. `pattern`: which files are read.
    """
    breaches: list[str] = []
    words: dict[str, set[str]] = {}
    paths = [path for path in sorted(folder.glob(pattern)) if path.is_file()]
    for path in paths:
        for name, content in contents(path.relative_to(folder).as_posix(), path.read_bytes()):
            breaches += [f"{name}: {fault}" for fault in _faults(name, content, min_devices)]
            words[name] = _words(content)
    leaked = _leaked(set().union(*words.values()), device_prints)
    if leaked:
        leaked -= {word for text in ours() for word in (text, *_parted(text.encode()))}
    for name in words if leaked else ():
        met = leaked.intersection(text for word in words[name] for text in _ids_in(word))
        breaches += [f"{name}: id {text!r} of a device" for text in sorted(met)[:3]]
    if breaches:
        raise PrivacyBreach("; ".join(breaches))
    return len(paths)


def masked(text: str, device_prints: npt.NDArray[np.uint64]) -> str:
    """A sentence about the data without device ids: a slipped row may put one where names stand."""
    for word in sorted(_leaked(_parted(text.encode()), device_prints), key=len, reverse=True):
        text = text.replace(word, "…")
    return text


def own_texts(month: Month, settings: Mapping[str, Any]) -> Iterator[str]:
    """Texts of the boundaries, the period and the settings: they do not come from rows of tests."""
    yield from (str(month.period), *month.window)
    for name in TABLES["communes"]:
        if FIELDS[name].dtype == "str":
            yield from month.communes[name].dropna().astype("str").unique()
    yield from _texts_in(settings)


def _texts_in(value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, held in value.items():
            yield str(key)
            yield from _texts_in(held)
    elif isinstance(value, (list, tuple)):
        for held in value:
            yield from _texts_in(held)
    else:
        yield str(value)


def _words(content: Content) -> set[str]:
    """Everything in a file that may be an id, or holds one between its marks."""
    running = b"\n".join([*content.running, "\n".join(content.cells).encode(errors="replace")])
    parts = {part.strip() for cell in content.cells if ";" in cell for part in cell.split(";")}
    return content.cells | parts | _parted(running)


def _parted(text: bytes) -> set[str]:
    words = set(text.translate(_PARTED).split())
    return {word.decode() for word in words if len(word) >= _SHORTEST}


def _ids_in(word: str) -> list[str]:
    """A word, and what stands between its marks, such as the id in `ID.csv`.

    Digits of a decimal number are no word of their own: there are many, and short.
    """
    if word.isalnum() or _DATE_OR_DECIMAL.fullmatch(word):
        return [word]
    return [word, *_MARKED.split(word)]


def _leaked(words: set[str], device_prints: npt.NDArray[np.uint64]) -> set[str]:
    """Device ids in the words, but for those whose form is one of ours."""
    if not len(device_prints):
        return set()
    telling = {text for word in words for text in _ids_in(word) if is_telling(text)}
    ids = pd.Series(list(telling), dtype="str")
    prints = of_texts(ids)
    place = np.searchsorted(device_prints, prints).clip(max=len(device_prints) - 1)
    met = ids[device_prints[place] == prints]
    return {text for text in met if not (_DATE_OR_DECIMAL.fullmatch(text) or _is_cell(text))}


def _is_cell(text: str) -> bool:
    return len(text) == 15 and h3.is_valid_cell(text)


def is_telling(device_id: str) -> bool:
    """Whether finding an id in a file means that it leaked.

    Words (`undefined`) and short numbers stand there by themselves.

    >>> [is_telling(text) for text in ("7f5906464aaa", "undefined", "1042", "356938035643809")]
    [True, False, False, True]
    """
    if not _SHORTEST <= len(device_id) <= _LONGEST or not _DIGIT.search(device_id):
        return False
    return not device_id.isdigit() or len(device_id) >= 12


def _faults(name: str, content: Content, min_devices: int) -> list[str]:
    """What is wrong with a file, but for device ids."""
    found, is_closed = list(content.faults), name.endswith(_CLOSED)
    for table, columns in content.tables.items():
        faults = _table_faults(columns, min_devices, is_closed=is_closed)
        found += [f"{table}: {fault}" if table else fault for fault in faults]
    identifying = identifying_columns()
    keys = {path for path in content.keys if not _OF_SETTINGS.intersection(path)}
    found += [f"key {'.'.join(path)}" for path in sorted(keys) if path[-1] in identifying]
    if content.page is not None and "block" in content.page:
        found += _page_faults(content.page, min_devices)
    return found


def _table_faults(columns: Columns, min_devices: int, *, is_closed: bool) -> list[str]:
    forbidden = forbidden_columns()
    found = [f"column {name}" for name in columns if name in forbidden]
    found += _hidden_faults(columns)
    few_of: dict[str, npt.NDArray[np.bool_]] = {}
    for name, column in columns.items():
        if column.null_count == len(column) or name in forbidden:
            continue
        field = FIELDS.get(name)
        if field is None and not _is_number(column):
            if is_closed and name != _ADDED:
                found.append(f"column {name} is not declared")
            continue
        if "device_count" not in columns or (field is not None and not field.is_private):
            continue  # numbers that are not declared are private
        count = field.of if field is not None and field.of in columns else "device_count"
        if count not in few_of:
            few_of[count] = _few(columns, count, min_devices)
        if (few_of[count] & column.is_valid().to_numpy(zero_copy_only=False)).any():
            found.append(f"{name} of fewer than {min_devices} devices")
    return found


def _hidden_faults(columns: Columns) -> list[str]:
    """Figures in rows of villages whose devices are too few: `device_count` is empty there."""
    if not {"village_name", "village_class", "device_count"} <= set(columns):
        return []
    hidden = columns["device_count"].is_null().to_numpy(zero_copy_only=False)
    shown = [PUBLISHED_AS.get(name, name) for name in HIDDEN]
    return [
        f"{name} of a village of few devices"
        for name in shown
        if name in columns
        and (hidden & columns[name].is_valid().to_numpy(zero_copy_only=False)).any()
    ]


def _is_number(column: pa.Array) -> bool:
    return bool(pa.types.is_integer(column.type) or pa.types.is_floating(column.type))


def _few(columns: Columns, count: str, min_devices: int) -> npt.NDArray[np.bool_]:
    """Rows of small groups, and `all` rows that less the others would give away a small group."""
    devices = _counted(columns[count])
    few = devices.gt(0) & devices.lt(min_devices)
    place = next((c for c in ("hex_id", "commune_code") if c in columns), None)
    # a gap's new tests are of its own cells: none of them is the sum of others
    if place and "operator" in columns and count != "new_device_count":
        is_all = columns["operator"].to_pandas().eq(ALL)
        if is_all.any():
            lonely = (few & ~is_all).groupby(columns[place].to_pandas()).transform("sum").eq(1)
            few |= lonely & is_all
    return few.to_numpy(dtype=bool)


def _counted(column: pa.Array) -> pd.Series:
    """Counts as numbers; texts are written for people, with the marks of any language."""
    values: pd.Series = column.to_pandas()
    if not _is_number(column):
        plain = values.astype("str").str.replace(r"[.,](?=\d{3}(?:\D|$))", "", regex=True)
        values = pd.to_numeric(plain.str.replace(",", ".", regex=False), errors="coerce")
    return values


def page_figures(table: str) -> list[str]:
    """Names, without their block, of the page's columns that show a group's speed."""
    carried = carried_columns(table).items()
    return [name[2:] for column, name in carried if FIELDS[column].is_private]


def _village_faults(columns: Mapping[str, Any], operators: list[str]) -> list[str]:
    """Figures of villages of which too few devices tried: their number is missing."""
    found = []
    for number, operator in enumerate(operators):
        if (devices := columns.get(f"v.{number}.devices")) is None:
            continue
        shown = {name: columns[f"v.{number}.{name}"] > 0 for name in ("chance", "rank")}
        counts = {name: int((is_shown & (devices == 0)).sum()) for name, is_shown in shown.items()}
        found += [
            f"{name} of {operator} in {count} villages of few devices"
            for name, count in counts.items()
            if count
        ]
    return found


def _page_faults(page: Mapping[str, Any], min_devices: int) -> list[str]:
    columns, operators = page["block"], page["operators"]
    size, found = len(operators), _village_faults(columns, operators)
    of_communes = page_figures("commune_status")
    of_cells = [*page_figures("hex_status"), "weak", "fast"]
    status = {key: columns[f"s.{key}"].reshape(-1, size) for key in ("devices", *of_communes)}
    for number, operator in enumerate(operators):
        cells = {key: columns[f"c.{number}.{key}"] for key in ("devices", *of_cells)}
        communes = {key: values[:, number] for key, values in status.items()}
        for kind, rows in (("cells", cells), ("communes", communes)):
            stored = rows["devices"]  # plus one, 0 = nothing
            few = (stored > 1) & (stored <= min_devices)
            shown = np.any([rows[key] > 0 for key in rows if key != "devices"], axis=0)
            if count := int((few & shown).sum()):
                found.append(
                    f"speed of {operator} in {count} {kind} from fewer than {min_devices} devices"
                )
    return found
