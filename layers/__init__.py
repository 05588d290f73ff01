"""What Lambda runs: layers of locked wheels, and one code asset. `make layers` builds all of it, without Docker."""
