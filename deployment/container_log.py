"""What a container's log says of its own end."""

import json

MAX_REASON_CHARACTERS = 400


def reason_of_end(log: str) -> str | None:
    """Return the message of the last critical line; None where there is none. The service logs JSON lines."""
    for line in reversed(log.splitlines()):
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if isinstance(record, dict) and record.get("level") == "critical":
            return str(record.get("message"))[:MAX_REASON_CHARACTERS]
    return None
