"""Constraints: residuals of a field, with the points where they hold and their weights."""
