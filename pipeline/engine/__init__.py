"""Local and Dask execution; knows nothing of speed tests."""
