"""Result folders: written whole or not at all, read again, verified, and exported to other tools."""
