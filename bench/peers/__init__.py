"""Others beside Treadle, in the same run: what a user might take instead. See README.md.

Nothing of theirs is imported here: each runs in processes and in an environment of its own, and is asked as its users
ask it.
"""
