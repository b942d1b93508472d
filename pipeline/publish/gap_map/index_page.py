"""The page that links a nation's provinces: counts of communes by verdict, no script, no request.

Does not belong here: the maps that it links.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files

import jinja2
import pandas as pd

from pipeline.publish.about import About
from pipeline.publish.gap_map import palette
from pipeline.publish.gap_map.offline_map import CSP
from pipeline.publish.gap_map.page_texts import page_texts
from pipeline.schema import texts


def index_page(counts: pd.DataFrame, names: Mapping[str, str], whole: str, about: About) -> str:
    """The page.

    `counts`: communes by province (index) and gap class; `names`: province → file; `whole`: the
    area's map.
    """
    lang = about.lang
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = files("pipeline.publish.gap_map").joinpath("index.html").read_text(encoding="utf-8")
    classes = [
        (key, texts.word(key, lang), palette.CLASS_PAINT[key].fill) for key in palette.CLASS_PAINT
    ]
    all_counts = counts.reindex(index=list(names), columns=list(palette.CLASS_PAINT), fill_value=0)
    count_of = all_counts.to_dict("index")
    rows = [
        (province, f"provinces/{name}.html", [int(count) for count in count_of[province].values()])
        for province, name in names.items()
    ]
    return environment.from_string(template).render(
        about=about, t=page_texts(lang), lang=lang, csp=CSP, classes=classes, rows=rows, whole=whole
    )
