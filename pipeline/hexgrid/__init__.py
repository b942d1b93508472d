"""Everything about H3: bulk indexing, parents, outlines, adaptive cells."""
