"""Lõm Sóng: speed tests and commune boundaries in; gap map, priorities and tables out.

The journey of the data is `pipeline/journey.py`; the rooms it passes through are the modules beside
it.
"""

__version__ = "0.1.0"
