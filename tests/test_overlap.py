"""Sketches of sources: what they share is seen at any size, whatever order the parts came in."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from pipeline.sources.overlap import KEPT, overlaps, sketch, union

GENERATOR = np.random.default_rng(8)


def rows(count: int) -> pl.DataFrame:
    """Tests at other minutes, places and speeds each."""
    return pl.DataFrame(
        {
            "time": GENERATOR.integers(0, 10**15, count),
            "latitude": GENERATOR.uniform(21, 23, count),
            "longitude": GENERATOR.uniform(102, 104, count),
            "operator": GENERATOR.integers(1, 5, count),
            "bits": GENERATOR.integers(1_000_000, 200_000_000, count),
        }
    )


@pytest.mark.parametrize(("count", "shared"), [(50, 10), (KEPT * 8, 0.3 * KEPT * 8)])
def test_the_shared_part_is_estimated_from_small_and_from_full_sketches(count, shared):
    first, second = rows(count), rows(count)
    second = pl.concat([first[: int(shared)], second[int(shared) :]])
    (found,) = overlaps({"a": sketch(first), "b": sketch(second)})
    assert found.shared / found.of == pytest.approx(shared / count, abs=0.03)
    assert found.of <= KEPT


def test_a_small_source_inside_a_large_one_is_found():
    large = rows(KEPT * 8)
    (found,) = overlaps({"all": sketch(large), "part": sketch(large[:2_000])})
    assert found.smaller == "part"
    assert found.shared == found.of > 100


def test_sources_that_share_nothing_are_no_pair():
    assert overlaps({"a": sketch(rows(9_000)), "b": sketch(rows(9_000))}) == []


def test_parts_make_the_sketch_of_the_whole_in_any_order():
    whole = rows(KEPT * 3)
    parts = [sketch(whole[:5_000]), sketch(whole[5_000:])]
    assert union(*parts).tolist() == union(*reversed(parts)).tolist() == sketch(whole).tolist()


def test_seconds_digits_and_failed_tests_do_not_tell_tests_apart():
    one = pl.DataFrame(
        {
            "time": [60_000_000], "latitude": [22.0501], "longitude": [103.0502], "operator": [3],
            "bits": [20_300_000],
        }
    )  # fmt: skip
    other = one.with_columns(pl.col("time") + 59_000_000, pl.col("bits") + 600_000)
    assert sketch(one).tolist() == sketch(other).tolist()
    assert sketch(one.with_columns(bits=pl.lit(0))).tolist() == []
    assert sketch(one.with_columns(latitude=pl.lit(None, pl.Float64))).tolist() == []
