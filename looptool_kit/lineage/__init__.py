"""What becomes of each sample: the error seeds of an iteration, and the fate of every row."""
