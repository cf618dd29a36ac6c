"""What becomes of each sample.

The error seeds of an iteration, and the fate of every row.
"""
