"""Datasets of other projects, read (`read.py`) and written (`write.py`)."""
