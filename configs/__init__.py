"""Shipped configuration, as package data."""
