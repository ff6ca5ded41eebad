"""Measures and compares time and memory of training iterations under several training schemes."""
