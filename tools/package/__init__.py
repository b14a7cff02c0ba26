"""The package that is deployed: built from what .funcignore leaves, and tried on Microsoft's worker."""
