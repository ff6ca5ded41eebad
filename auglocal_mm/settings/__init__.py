"""Reads and checks configs before anything is built."""
