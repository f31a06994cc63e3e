"""The service's pages: self-contained HTML without scripts, made on the server, everything escaped."""
