"""What a written sample must pass: rules, near-duplicates, contamination with benchmarks, the label check by
a judge.
"""
