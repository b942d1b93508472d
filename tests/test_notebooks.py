"""The notebooks are executed on the demo.

Their asserts compare hand-made figures with the published ones.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).resolve().parents[1] / "notebooks").glob("*.ipynb"))


@pytest.mark.slow
# the kernel's own machinery (zmq, asyncio, sockets at shutdown) warns about itself, not about the
# notebook
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_notebook(path, demo, demo_outputs, monkeypatch, tmp_path):
    import nbformat
    from nbclient import NotebookClient

    monkeypatch.setitem(os.environ, "LOMSONG_DEMO", str(demo))
    monkeypatch.setitem(os.environ, "LOMSONG_OUT", str(demo_outputs))
    monkeypatch.setitem(os.environ, "IPYTHONDIR", str(tmp_path))
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
    printed = "".join(o.get("text", "") for c in notebook.cells for o in c.get("outputs", []))
    assert "published" in printed


def test_there_is_a_notebook():
    assert NOTEBOOKS
