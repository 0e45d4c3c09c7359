"""Result folders: written atomically, reloaded, verified and exported to other software."""
