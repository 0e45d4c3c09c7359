"""Command line."""

from hlt_bayes.cli.app import app, main

__all__ = ["app", "main"]
