"""Answers the cases on stdin, one JSON text a line each way, with what Python itself does."""

import fnmatch
import json
import sys
import threading


def matches(case):
    pattern, topic = case
    return fnmatch.fnmatchcase(topic, pattern)


def rewritten(case):
    """The document is given with a character for each byte. `None` where it is refused."""
    try:
        value = json.loads(case.encode("latin-1").decode("utf-8"))
    except ValueError:
        return None
    return [json.dumps(value, sort_keys=True, separators=(",", ":")), json.dumps(value, indent=2)]


def composed(case):
    """`publish` in fedmsg/core.py, and the encoder in fedmsg/encoding."""
    case["msg"] = json.loads(case["msg"]) or dict()
    return json.dumps(case, sort_keys=True, separators=(",", ":"))


def main():
    answer = {"matches": matches, "rewritten": rewritten, "composed": composed}[sys.argv[1]]
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))))


# Python's own limit to nesting is none of the rules: room for more than any case has.
sys.setrecursionlimit(100_000)
threading.stack_size(512 * 1024 * 1024)
thread = threading.Thread(target=main)
thread.start()
thread.join()
