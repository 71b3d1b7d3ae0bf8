"""Priors: distributions over fields, learned from data sets."""
