"""What the job scripts share; a package of its own so that no module name of ours hides one of a project's."""
