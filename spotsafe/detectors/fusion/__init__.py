"""Fusion: what the senses of one content say together, where that differs from what each says alone."""
