"""What on_azure.py is made of: the data, the outputs of earlier runs, the live model, the child that does the work."""
