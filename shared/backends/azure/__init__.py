"""Azure Machine Learning, Event Grid and what they stand on, spoken to by Microsoft's own SDKs."""
