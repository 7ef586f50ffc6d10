"""Asks the reference model about damaged stacks in one process.

Standard input and output as of ../golden/answer.py, and {"fault": reason} where the model itself breaks: it knows no
limits, so a huge number is for it an out-of-memory or a conversion error, which is no answer.
"""
import base64
import json
import os
import resource
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'golden'))
import model  # noqa: E402

resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))


def answer(stack):
    try:
        return {'tar': base64.b64encode(model.emit(model.union([base64.b64decode(tar) for tar in stack]))).decode()}
    except model.Reject as reason:
        return {'reject': str(reason)}
    except (ValueError, IndexError, OverflowError, MemoryError) as fault:
        return {'fault': repr(fault)}


json.dump([answer(stack) for stack in json.load(sys.stdin)], sys.stdout)
