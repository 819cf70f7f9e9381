"""A round's zoo and flagship, from the catalog to the ledger, and when rounds stop."""
