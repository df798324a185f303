"""What is true: orders, fills, balances, and the rules that move them.

Nothing here does IO, reads a clock or draws a random number; time is always an argument.
"""
