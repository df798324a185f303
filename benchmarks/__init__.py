"""What the system costs, measured: `python -m benchmarks` (docs/explanation/performance.md).

Everything is measured in one run on one machine, the baseline included, because only ratios travel.
"""
