"""Video: key frames seen, their text read, the sound track heard, and one timeline of what was found."""
