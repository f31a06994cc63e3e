"""Banks of known media: pictures, sound, files and texts that were seen before and must be found again."""
