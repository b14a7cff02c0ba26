"""Stand-ins for the Functions host and Event Grid on one machine."""
