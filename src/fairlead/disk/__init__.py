"""What is asked of the file system beneath the stores, which SQLite does not ask.

Knows no store: whoever opens one says which files are its. Must never change what is in a file.
"""
