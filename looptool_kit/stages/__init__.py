"""The loop: one module or folder a stage.

In a folder `stage.py` is the stage, every other public module is one strategy.
"""
