"""Recipes: a whole run in one TOML file, and the loop that carries it out."""
