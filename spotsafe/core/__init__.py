"""The nouns of the product and the seams between its rooms; standard library only."""
