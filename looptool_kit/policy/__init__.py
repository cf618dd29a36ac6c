"""The model that is trained: its weights, its engines, its export."""
