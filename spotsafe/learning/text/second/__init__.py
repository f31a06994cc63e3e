"""Training of the text engine's second tier: a small English transformer, fine-tuned and stored as int8."""
