"""What a dialogue says: words and their forms, dates and numbers in text, passages, grounding of values."""
