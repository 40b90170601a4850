"""EMR: clusters and their steps, served by Treadle itself."""
