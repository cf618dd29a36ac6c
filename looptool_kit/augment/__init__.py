"""Exact edits of a sample, after which its label is known.

They are other values with the label edited alike, changes that must not matter, and planted label errors.
"""
