"""How Casebook runs: servers inside a data folder, and the supervisor that keeps them up."""
