"""What we remember: models, keys, features, tokens, settings, audit. The only room that knows SQL."""
