"""Pictures: safety classes, nudity boxes, and text read from them, scored by the text engine."""
