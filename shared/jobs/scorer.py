"""A child of evaluate and certify: scores batches with one model through its scoring file.

argv: a descriptor {"python", "path", "score", "model_dir"}, a file with one request body a line, and where to write
one line an answer: a JSON list of predictions, or {"refused": sentence} after which nothing follows.
The interpreter and PYTHONPATH are the model's own; what the project's code raises is printed by Python.
"""

import json
import os
import sys
import traceback
from types import TracebackType

# Only the folder of the scoring contract, and only for this import: no module of ours may hide one of a project's.
sys.path[0] = os.path.join(os.path.dirname(os.path.abspath(__file__)), "serving")
import signalbox_scoring  # noqa: E402

del sys.path[0]

REFUSED = 3
OURS = (__file__, signalbox_scoring.__file__)


def main(descriptor: str, batches: str, predictions: str) -> int:
    """Load the model once, score each batch, and return the exit code."""
    with open(descriptor, encoding="utf-8") as file:
        told = json.load(file)
    if told.get("path"):
        # An image's layers are shared and read-only: no bytecode is left in them.
        sys.dont_write_bytecode = True
    os.environ["AZUREML_MODEL_DIR"] = told["model_dir"]
    batches, predictions = os.path.abspath(batches), os.path.abspath(predictions)
    module = signalbox_scoring.load_scoring_file(told["score"])
    with open(batches, encoding="utf-8") as bodies, open(predictions, "w", encoding="utf-8") as answers:
        if signalbox_scoring.raw_http_wanted():
            answers.write(refusal("The scoring file uses @rawhttp, so it cannot be evaluated"))
            return REFUSED
        module.init()
        call = signalbox_scoring.caller(module.run)
        for body in bodies:
            try:
                row = signalbox_scoring.predictions_of(call(body.rstrip("\n"), {}))
            except signalbox_scoring.BadAnswer as bad:
                answers.write(refusal(str(bad)))
                return REFUSED
            json.dump(row, answers)
            answers.write("\n")
    return 0


def refusal(sentence: str) -> str:
    """Return the last line of the answers when nothing can follow."""
    return json.dumps({"refused": sentence}) + "\n"


def show_the_projects_part(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Print a traceback from the project's first line on: what is above it is ours and helps nobody."""
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith((*OURS, "<frozen")):
        trace = trace.tb_next
    traceback.print_exception(kind, error, trace)


if __name__ == "__main__":
    sys.excepthook = show_the_projects_part
    sys.exit(main(*sys.argv[1:]))
