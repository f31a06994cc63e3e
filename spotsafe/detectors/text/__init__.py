"""The local text engine: normalisation, lexicon, patterns, models and their assembly."""
