"""What was answered before, kept near: hot in the process, warm in an instance of its own.

Caches hold copies. Whatever happens to one (down, slow, full, damaged) is a miss, never an error.
"""
