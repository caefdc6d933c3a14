"""The nouns every room agrees on: requests, chunks, models, errors, ports; frozen data, no I/O."""
