"""Load, gate, report: measure live and candidate with the same requests, judge what was measured, show why."""
