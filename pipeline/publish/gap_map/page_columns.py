"""Which columns of which tables the map's page carries, from their declarations.

Does not belong here: how they are packed (`columns.py`), what else the page holds (`page_data.py`).
"""

from __future__ import annotations

from pipeline.schema.columns import FIELDS, TABLES

BLOCKS = {
    "commune_status": "s.",
    "changes": "s.",
    "hex_status": "c.",
    "priorities": "p.",
    "village_status": "v.",
}


def carried_columns(table: str) -> dict[str, str]:
    """Columns of a table that the page carries, and their names in its data."""
    block = BLOCKS[table]
    return {
        column: name
        for column in TABLES[table]
        for name in FIELDS[column].page
        if name.startswith(block)
    }
