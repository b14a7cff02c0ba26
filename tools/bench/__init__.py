"""Measurements; each prints one number and the bar it is held to."""
