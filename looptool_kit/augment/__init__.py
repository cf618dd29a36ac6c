"""Exact edits of a sample: other values with the label edited alike, changes that must not matter, planted
label errors.
"""
