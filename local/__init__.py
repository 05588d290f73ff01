"""The whole service on one machine: moto's AWS, the real state machine, the real handlers under Lambda's own runtime
client, behind one port. ``python -m local``, or ``make serve``."""
