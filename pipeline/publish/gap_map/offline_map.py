"""A folium map that needs nothing from elsewhere.

Leaflet is inlined from an installed package; own page, fixed ids, strict CSP.

Plain folium asks for ten files from CDNs: without a network its page is blank. Does not belong
here: what the map shows.
"""

from __future__ import annotations

import hashlib
import re
from importlib.metadata import distribution
from importlib.resources import files
from typing import Any, ClassVar

import folium
from branca.element import Element, Figure, MacroElement
from folium.template import Template

from pipeline.publish.gap_map import palette

LEAFLET_PACKAGE = "django-js-lib-leaflet"
LEAFLET_SHA256 = (
    "db49d009c841f5ca34a888c96511ae936fd9f5533e90d8b2c4d57596f4e5641a"  # of leaflet.js 1.9.4
)
CSP = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; "
    "base-uri 'none'; form-action 'none'"
)
# what would make a browser ask for something: tags with a source, styles with a url, imports
_REMOTE = re.compile(
    r"<(?:script|link|img|iframe|image|source|object|embed|audio|video)\b[^>]*\s"
    r"(?:src|href|data)\s*=(?!\s*[\"']?data:)|url\(\s*[\"']?(?!#|data:|%23)[^)\s]|@import\b",
    re.IGNORECASE,
)
_INLINE_SCRIPT = re.compile(r"<script\b[^>]*>.*?</script>", re.IGNORECASE | re.DOTALL)


class RemoteReference(AssertionError):
    """A bug of ours: the page would ask the network for something."""


def leaflet() -> tuple[str, str, str]:
    """(script, style, licence) of the installed Leaflet.

    The script's hash is checked: another version must be looked at first.
    """
    folder = files("js_lib_leaflet").joinpath("static/js_lib_leaflet")
    script = folder.joinpath("leaflet.js").read_text(encoding="utf-8")
    found = hashlib.sha256(script.encode()).hexdigest()
    assert found == LEAFLET_SHA256, (
        f"leaflet.js has another hash ({found}): install the version in constraints.txt"
    )
    script = re.sub(r"//# sourceMappingURL=.*", "", script)
    style = folder.joinpath("leaflet.css").read_text(encoding="utf-8")
    # pictures of controls and markers that this map does not use, and a behaviour of Internet
    # Explorer
    style = re.sub(r"(?:background-image|behavior):\s*url\([^)]*\);", "", style)
    about = distribution(LEAFLET_PACKAGE)
    licence = next(
        (p.read_text() for p in about.files or [] if p.name.upper().startswith("LICENSE")), ""
    )
    assert licence, f"{LEAFLET_PACKAGE} carries no licence text"
    return script, style, licence


class Verbatim(Element):
    """Text that stands on the page as it is. A plain `Element` compiles its text as a template."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text

    def render(self, **_: object) -> str:
        """The text."""
        return self.text


class OnePass(MacroElement):
    """An element whose macros are rendered once.

    `MacroElement` compiles what its macros gave once more as a template, unsandboxed: a name in the
    data such as `{{ … }}` would run.
    """

    def render(self, **kwargs: object) -> None:
        """Put header, markup and script into the figure, and those of the children."""
        figure = self.get_root()
        for place in ("header", "html", "script"):
            if macro := getattr(self._template.module, place, None):
                getattr(figure, place).add_child(Verbatim(macro(self, kwargs)), self.get_name())
        for child in self._children.values():
            child.render(**kwargs)


class Page(Figure):
    """The document around the map: language, title, zoomable viewport, CSP.

    Without branca's own `http-equiv`.
    """

    _template = Template(
        """<!DOCTYPE html>
<html lang="{{ this.lang|e }}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{{ this.csp }}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ this.title|e }}</title>
{{ this.header.render(**kwargs) }}
</head>
<body>
{{ this.html.render(**kwargs) }}
<script>
{{ this.script.render(**kwargs) }}
</script>
</body>
</html>
"""
    )

    def __init__(self, lang: str, title: str) -> None:
        super().__init__(title=title)
        self._id, self.lang, self.csp = "page", lang, CSP
        self.header._children.clear()


class OfflineMap(OnePass, folium.Map):
    """A `folium.Map` without tiles, links or random ids.

    `save` raises `RemoteReference` on anything from elsewhere.
    """

    default_js: ClassVar[list[tuple[str, str]]] = []
    default_css: ClassVar[list[tuple[str, str]]] = []
    _template = Template(
        """
{% macro html(this, kwargs) %}
<main id="view"><div id="{{ this.get_name() }}" class="map" role="application" aria-label="{{
  this.label|e }}"></div></main>
{% endmacro %}
{% macro script(this, kwargs) %}
var {{ this.get_name() }} = L.map({{ this.get_name()|tojson }}, {{ this.map_options|tojson }});
{{ this.get_name() }}.attributionControl.setPrefix(false);
{{ this.get_name() }}.fitBounds({{ this.bounds|tojson }}, {animate: false, padding: [12, 12]});
{% endmacro %}"""
    )

    def __init__(self, bounds: list[list[float]], *, lang: str, title: str, label: str) -> None:
        super().__init__(tiles=None, zoom_start=8)
        self._id, self.label, self.bounds = "lomsong", label, bounds
        pad = max(bounds[1][0] - bounds[0][0], bounds[1][1] - bounds[0][1], 0.1)
        self.map_options: dict[str, Any] = {
            "zoomSnap": 0.25,
            "zoomDelta": 0.5,
            "maxZoom": 15,
            "minZoom": 3,
            "maxBounds": [
                [bounds[0][0] - pad, bounds[0][1] - pad],
                [bounds[1][0] + pad, bounds[1][1] + pad],
            ],
            "attributionControl": True,
        }
        self._children.clear()
        Page(lang, title).add_child(self)
        script, style, licence = leaflet()
        header = self.get_root().header
        header.add_child(
            Verbatim(f"<style>\n{style}\n.map{{background:{palette.OUTSIDE}}}\n</style>"),
            name="leaflet_css",
        )
        header.add_child(
            Verbatim(f"<script>\n/*\n{licence}\n*/\n{script}\n</script>"), name="leaflet_js"
        )

    def text(self) -> str:
        """The page. Raises `RemoteReference` where it would ask for anything from elsewhere."""
        page: str = self.get_root().render()
        # inside scripts only markup that is written at run time could ask for something; the CSP
        # forbids that
        shell = _INLINE_SCRIPT.sub(lambda m: m[0][: m[0].index(">") + 1], page)
        if found := _REMOTE.search(shell):
            raise RemoteReference(f"the page asks for {found[0]!r}")
        return page


class CommuneLayer(OnePass, folium.GeoJson):
    """The communes in one constant style; the page's script colours them."""

    def __init__(self, features: dict[str, Any]) -> None:
        super().__init__(features, control=False)
        self._id = "communes"
        self.constant_style = {
            "color": palette.LINE,
            "weight": 1,
            "fillColor": palette.INSIDE,
            "fillOpacity": 1,
        }

    _template = Template(
        """{% macro script(this, kwargs) %}
var {{ this.get_name() }} = L.geoJson({{ this.data|tojson }},
  {smoothFactor: 0, style: {{ this.constant_style|tojson }}}).addTo(map_lomsong);
{% endmacro %}"""
    )


class Panel(OnePass):
    """The page's own markup, style, data and script, from files of this package."""

    _template = Template(
        """{% macro header(this, kwargs) %}<style>
{{ this.style }}
</style>{% endmacro %}
{% macro html(this, kwargs) %}{{ this.markup }}
<script type="application/json" id="lomsong-data">{{ this.data }}</script>{% endmacro %}
{% macro script(this, kwargs) %}{{ this.code }}{% endmacro %}"""
    )

    def __init__(self, markup: str, style: str, code: str, data: str) -> None:
        super().__init__()
        self._name, self._id = "panel", "lomsong"
        self.markup, self.style, self.code, self.data = markup, style, code, data
