"""Training of the local text engine, from registered data to weights and model card."""
