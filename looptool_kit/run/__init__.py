"""The run folder: its tables and manifests, when a stage is to be made again, the lock, what a person
decided.
"""
