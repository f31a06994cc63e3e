"""Sound: where somebody speaks, what is said in English, and what the text engine makes of it."""
