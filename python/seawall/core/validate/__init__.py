"""See `seawall.core`."""
