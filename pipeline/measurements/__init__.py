"""Rows of tests → usable tests → samples → device values and counts."""
