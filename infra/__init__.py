"""The deployment: a CDK app with one construct for each concern. Start reading at stack.py."""
