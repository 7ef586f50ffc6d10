"""Asks the reference model about many stacks in one process.

Standard input: JSON, a list of stacks, each a list of layers (uncompressed tars in base64), oldest first.
Standard output: JSON, for each stack {"tar": base64} or {"reject": reason}.
"""
import base64
import json
import sys

import model


def answer(stack):
    try:
        return {'tar': base64.b64encode(model.emit(model.union([base64.b64decode(tar) for tar in stack]))).decode()}
    except model.Reject as reason:
        return {'reject': str(reason)}


json.dump([answer(stack) for stack in json.load(sys.stdin)], sys.stdout)
