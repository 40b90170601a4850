"""The services whose jobs Treadle runs: EMR as a whole, of others the operations that are about jobs."""
