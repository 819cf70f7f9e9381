"""The vision judge, on scripted engines."""
