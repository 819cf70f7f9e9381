"""The numbered migrations, applied once each, in order."""
