"""A comparison as one HTML page: verdicts first, tables, plots, and photographs side by side."""
