"""Drop-in callables for trainers. Nothing here imports a trainer."""
