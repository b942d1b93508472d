"""The check of finished files: no device id, no position of a test, no small group's speed.

METHOD §7. It reads what was written, not what was meant to be written. Columns are private by their
declarations; a number that is not declared is private. Does not belong here: suppressing
(`schema/privacy.py`).
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.measurements.fingerprints import of_texts
from pipeline.publish.gap_map.columns import decoded
from pipeline.publish.gap_map.page_columns import carried_columns
from pipeline.schema.columns import FIELDS, INNER, TABLES
from pipeline.schema.fields import ALL

_MARKS = b"_.:-"  # of which, with letters and digits, ids are made; what else there is parts them
_PARTED = bytes(c if (chr(c).isalnum() and c < 128) or c in _MARKS else 32 for c in range(256))
_SHORTEST = 8  # characters of an id that tells anything
_DATA = re.compile(r'<script type="application/json" id="lomsong-data">(.*?)</script>', re.DOTALL)
ZIPPED = (".xlsx", ".zip", ".qgz", ".docx", ".kmz")
# columns of tests and devices that no published table has
FORBIDDEN_COLUMNS = frozenset({*TABLES["tests"], *TABLES["device_values"]}).difference(
    *(columns for table, columns in TABLES.items() if table not in INNER)
)


class PrivacyBreach(AssertionError):
    """A fault of the program: a finished file holds what must not leave the pipeline.

    The outputs are not swapped in.
    """


def examine(folder: Path, *, device_prints: npt.NDArray[np.uint64], min_devices: int) -> int:
    """Number of files read below `folder`; raises `PrivacyBreach` with all that is wrong.

    `device_prints`: fingerprints of the device ids, ascending: ids themselves do not come this far.
    """
    breaches: list[str] = []
    paths = [p for p in sorted(folder.rglob("*")) if p.is_file()]
    for path in paths:
        name = path.relative_to(folder).as_posix()
        if path.suffix == ".parquet":
            written = pq.read_table(path)
            breaches += _columns(name, written.to_pandas(), min_devices)
            content = "\n".join(
                text for column in written.columns for text in _texts_in(column)
            ).encode()
        else:
            content = _content(path)
            if path.suffix == ".csv" and path.parent.name != "excel-vi":
                heading = pd.read_csv(path, nrows=0)
                is_of_devices = (
                    "device_count" in heading
                )  # of other tables the columns are all there is to see
                table = (
                    pd.read_csv(path, dtype={"commune_code": "str"}) if is_of_devices else heading
                )
                breaches += _columns(name, table, min_devices)
            if path.suffix == ".html":
                breaches += _page(name, content.decode(), min_devices)
        breaches += [
            f"{name}: id {text!r} of a device" for text in _leaked(content, device_prints)[:3]
        ]
    if breaches:
        raise PrivacyBreach("; ".join(breaches))
    return len(paths)


def _texts_in(column: pa.ChunkedArray) -> list[str]:
    """The distinct texts of a column; none of one that holds no texts."""
    is_text = pa.types.is_string(column.type) or pa.types.is_large_string(column.type)
    return pc.unique(column).drop_null().to_pylist() if is_text else []


def _leaked(content: bytes, device_prints: npt.NDArray[np.uint64]) -> list[str]:
    """Device ids that stand in the content, ascending."""
    if not len(device_prints):
        return []
    met = {text for text in set(content.translate(_PARTED).split()) if len(text) >= _SHORTEST}
    tokens = pd.Series(sorted(text.decode() for text in met), dtype="str")
    prints = of_texts(tokens)
    place = np.searchsorted(device_prints, prints).clip(max=len(device_prints) - 1)
    return [text for text in tokens[device_prints[place] == prints] if is_telling(text)]


def _content(path: Path) -> bytes:
    """What a file holds; of a zipped one (workbook, project, pack) what all its members hold."""
    data = path.read_bytes()
    return _unzipped(data) if path.suffix in ZIPPED else data


def _unzipped(data: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    return b"\n".join(
        _unzipped(inner) if Path(name).suffix in ZIPPED else inner for name, inner in members
    )


def is_telling(device_id: str) -> bool:
    """Whether finding an id in a file means that it leaked.

    Words (`undefined`) and short numbers stand there by themselves.

    >>> [is_telling(text) for text in ("7f5906464aaa", "undefined", "1042", "356938035643809")]
    [True, False, False, True]
    """
    if device_id.isdigit():
        return len(device_id) >= 12
    return len(device_id) >= _SHORTEST and any(c.isdigit() for c in device_id)


def _columns(name: str, table: pd.DataFrame, min_devices: int) -> list[str]:
    found = [f"{name}: column {c}" for c in table.columns if c in FORBIDDEN_COLUMNS]
    if "device_count" not in table.columns:
        return found
    few_of: dict[str, pd.Series] = {}
    for column in table.columns:
        count = _count_behind(table[column])
        if count is None:
            continue
        count = count if count in table.columns else "device_count"
        if count not in few_of:
            few_of[count] = _few(table, count, min_devices)
        if table.loc[few_of[count], column].notna().any():
            found.append(f"{name}: {column} of fewer than {min_devices} devices")
    return found


def _count_behind(column: pd.Series) -> str | None:
    """The column that counts the devices behind a private one; None for one that is not private.

    Numbers that are not declared are private.
    """
    field = FIELDS.get(str(column.name))
    if field is not None:
        return field.of if field.is_private else None
    return "device_count" if pd.api.types.is_numeric_dtype(column) else None


def _few(table: pd.DataFrame, count: str, min_devices: int) -> pd.Series:
    """Rows of small groups, and `all` rows that less the others would give away a small group."""
    few = table[count].gt(0) & table[count].lt(min_devices)
    place = next((c for c in ("hex_id", "commune_code") if c in table.columns), None)
    # a gap's new tests are of its own cells: none of them is the sum of others
    is_sum = place and "operator" in table.columns and count != "new_device_count"
    if is_sum and table["operator"].eq(ALL).any():
        lonely = (few & table["operator"].ne(ALL)).groupby(table[place]).transform("sum").eq(1)
        few |= lonely & table["operator"].eq(ALL)
    return few


def page_figures(table: str) -> list[str]:
    """Names, without their block, of the page's columns that show a group's speed."""
    carried = carried_columns(table).items()
    return [name[2:] for column, name in carried if FIELDS[column].is_private]


def _page(name: str, page: str, min_devices: int) -> list[str]:
    match = _DATA.search(page)
    if match is None:
        return [f"{name}: no data block to examine"]
    data = json.loads(match[1])
    if data.get("schema") == "lomsong-index/1":  # links and counts of communes
        return []
    columns, operators = decoded(data["block"]), data["operators"]
    size = len(operators)
    of_communes, of_cells = page_figures("commune_status"), [*page_figures("hex_status"), "weak"]
    status = {key: columns[f"s.{key}"].reshape(-1, size) for key in ("devices", *of_communes)}
    found = []
    for number, operator in enumerate(operators):
        cells = {key: columns[f"c.{number}.{key}"] for key in ("devices", *of_cells)}
        communes = {key: values[:, number] for key, values in status.items()}
        for kind, rows in (("cells", cells), ("communes", communes)):
            stored = rows["devices"]  # plus one, 0 = nothing
            few = (stored > 1) & (stored <= min_devices)
            shown = np.any([rows[key] > 0 for key in rows if key != "devices"], axis=0)
            if count := int((few & shown).sum()):
                found.append(
                    f"{name}: speed of {operator} in {count} {kind} "
                    f"from fewer than {min_devices} devices"
                )
    return found
