"""Loads a published GIS pack in headless QGIS and draws it: `make gis-check`.

    python3 tools/gis_check.py outputs/2026-10/gis picture.png

Needs Debian's python3-qgis. Exit 1 where a layer is not valid, has lost its style or aliases, or
the project does not open with its layers.
"""

import os
import sys
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from qgis.core import (
    QgsApplication,
    QgsMapRendererParallelJob,
    QgsMapSettings,
    QgsProject,
    QgsRectangle,
    QgsVectorLayer,
)
from qgis.PyQt.QtCore import QSize
from qgis.PyQt.QtGui import QColor

LAYERS = {
    "villages": "categorizedSymbol",
    "communes": "categorizedSymbol",
    "hexes": "categorizedSymbol",
    "gap_areas": "singleSymbol",
    "priorities": "categorizedSymbol",
    "measure_first": "categorizedSymbol",
}


def faults_of(layer: QgsVectorLayer, name: str) -> list[str]:
    """Faults of a layer: validity, style, aliases, categories."""
    if not layer.isValid():
        return [f"{name}: not valid"]
    found = []
    if layer.renderer().type() != LAYERS[name]:
        found.append(f"{name}: drawn as {layer.renderer().type()}, expected {LAYERS[name]}")
    elif LAYERS[name] == "categorizedSymbol":
        values = [c.value() for c in layer.renderer().categories()]
        if len(values) < 2:
            found.append(f"{name}: categories {values}")
    if not any(layer.attributeAlias(i) for i in range(layer.fields().count())):
        found.append(f"{name}: no aliases")
    drawn = f"{layer.featureCount()} rows, {layer.renderer().type()}"
    print(f"  {name}: {drawn}, first alias {layer.attributeAlias(1)!r}")
    return found


def main(folder: Path, picture: Path) -> int:
    """Load, examine, draw."""
    app = QgsApplication([], False)
    app.initQgis()
    found = []
    print(f"{folder / 'coverage_gaps.gpkg'}:")
    for name in LAYERS:
        found += faults_of(
            QgsVectorLayer(f"{folder / 'coverage_gaps.gpkg'}|layername={name}", name, "ogr"), name
        )
    project = QgsProject.instance()
    if not project.read(str((folder / "coverage_gaps.qgz").resolve())):
        found.append(f"the project does not open: {project.error()}")
    print(f"{folder / 'coverage_gaps.qgz'}: {project.title()}")
    layers = {ident.removeprefix("lomsong_"): layer for ident, layer in project.mapLayers().items()}
    found += [f"the project lacks {name}" for name in LAYERS if name not in layers]
    for name, layer in layers.items():
        found += [f"project: {fault}" for fault in faults_of(layer, name)]
    shown = [layer for layer in project.layerTreeRoot().checkedLayers() if layer.isValid()]
    extent = QgsRectangle(layers["communes"].extent())
    extent.scale(1.05)
    settings = QgsMapSettings()
    settings.setLayers(shown)
    settings.setExtent(extent)
    settings.setOutputSize(QSize(1100, 800))
    settings.setBackgroundColor(QColor("#dddad2"))
    settings.setDestinationCrs(project.crs())
    job = QgsMapRendererParallelJob(settings)
    job.start()
    job.waitForFinished()
    image = job.renderedImage()
    colours = {image.pixelColor(x, y).name() for x in range(0, 1100, 7) for y in range(0, 800, 7)}
    if len(colours) < 5:
        found.append(f"the picture is empty: {sorted(colours)}")
    image.save(str(picture))
    print(f"picture: {picture}, {len(colours)} colours")
    for fault in found:
        print("fault:", fault)
    return 1 if found else 0


if __name__ == "__main__":
    status = main(Path(sys.argv[1]), Path(sys.argv[2]))
    sys.stdout.flush()
    os._exit(status)  # QGIS may crash while Python takes it down
