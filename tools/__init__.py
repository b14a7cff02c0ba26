"""Tools that are not deployed with the function app."""
