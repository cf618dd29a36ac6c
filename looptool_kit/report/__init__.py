"""The account of a run.

The scoreboard, what is planned, the page with its figures.
"""
