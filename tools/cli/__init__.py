"""The `signalbox` command: what a person does with a stack, over HTTP."""
