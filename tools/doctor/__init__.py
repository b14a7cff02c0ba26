"""What an app needs that is to run in Azure, looked at one by one: its settings, its files, and what it must reach."""

from tools.doctor.finding import Finding

__all__ = ["Finding"]
