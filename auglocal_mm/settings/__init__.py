"""What a config says: read, checked and named before anything is built."""
