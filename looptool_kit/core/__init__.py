"""What everything else speaks of: samples, typed tables, the rows of a run folder, tool calls and their
match, statistics.
"""
