"""Puts the rooms together; the only place where everything is known."""
