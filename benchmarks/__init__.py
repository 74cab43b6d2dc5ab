"""How fast and how small a sync is, as ratios against a floor measured in the same run: ``python -m benchmarks``."""
