"""What a dialogue says: words, dates, numbers, and the values they support."""
