"""Bounded decoding of untrusted pictures, sound and movies: numpy arrays out, or a closed error."""
