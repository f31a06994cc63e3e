"""Training of the fusion model: content composed of several senses, and what they mean together."""
