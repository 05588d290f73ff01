"""Targets of deliveries: each module is one kind, and knows no other. See target.py for what they have in common."""
