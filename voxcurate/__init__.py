"""The foundation: errors, config, volumes, masks, metrics, catalog, chat engines, executors."""

__version__ = "0.1.0"
