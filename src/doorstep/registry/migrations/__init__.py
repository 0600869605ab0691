"""How the registry's database came to be what `tables` says, step by step; run when it is opened."""
