"""The commands of `casebook`, a file for each group; `cli.py` lists them."""
