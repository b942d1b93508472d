"""The texts of the map's page, from the catalogues.

Does not belong here: the texts themselves (`schema/catalogues/`).
"""

from __future__ import annotations

from pipeline.publish.gap_map import palette
from pipeline.publish.gap_map.page_columns import carried_columns
from pipeline.schema import texts
from pipeline.schema.column_labels import heading
from pipeline.schema.columns import FIELDS
from pipeline.schema.fields import (
    ALL,
    FLAGS,
    GAP_STATES,
    NO_DATA_REASONS,
    OFFICIAL_CLASSES,
    SITE_ACTIONS,
    SITE_STATES,
    VILLAGE_CLASSES,
    VILLAGE_GROUNDS,
)

_SENTENCES = ("explain_", "gate_")  # of the log: why a verdict is what it is


def page_texts(
    lang: texts.Lang, *, with_villages: bool = False, with_sites: bool = False
) -> dict[str, str]:
    """The page's own texts, names of statuses and columns, and the sentences that say why."""
    more = (_of_villages(lang) if with_villages else {}) | (_of_sites(lang) if with_sites else {})
    return _texts(lang) | more


def _of_sites(lang: texts.Lang) -> dict[str, str]:
    """Names of a plan's states and actions, under keys of their own."""
    return {f"site_{key}": texts.word(key, lang) for key in (*SITE_STATES, *SITE_ACTIONS)}


def _of_villages(lang: texts.Lang) -> dict[str, str]:
    """Names of villages' classes and grounds; under keys of their own: columns have the same."""
    named = {"village": VILLAGE_CLASSES, "ground": VILLAGE_GROUNDS, "official": OFFICIAL_CLASSES}
    return {
        f"{start}_{key}": texts.word(key, lang) for start, keys in named.items() for key in keys
    }


def _texts(lang: texts.Lang) -> dict[str, str]:
    words = {
        *palette.STATUS_PAINT, *palette.CLASS_PAINT, *FLAGS, *NO_DATA_REASONS, *GAP_STATES, ALL,
        *(FIELDS["likely_cause"].among or ()), *(FIELDS["suggested_action"].among or ()),
    }  # fmt: skip
    catalogue = texts.catalogue(lang)
    assert not words & set(catalogue["page"]), "one word, one place"
    sentences = {key: s for key, s in catalogue["log"].items() if key.startswith(_SENTENCES)}
    about = {"language": catalogue["language"]["name"], "locale": catalogue["language"]["locale"]}
    named = {key: texts.word(key, lang) for key in sorted(words)}
    return {**_headings(lang), **catalogue["page"], **named, **sentences, **about}


def _headings(lang: texts.Lang) -> dict[str, str]:
    """Headings of the columns that the page carries of commune × operator, by their names there."""
    carried = carried_columns("commune_status").items()
    return {name.removeprefix("s."): heading(column, lang) for column, name in carried}
