"""The plan of sites: modelled coverage, and which sites do most for whom."""
