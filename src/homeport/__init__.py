"""Homeport: self-hosted AI for code, from the editor to the model and back."""

from importlib.metadata import version

__version__ = version("homeport")
