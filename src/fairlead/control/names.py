"""The files of the control plane in the data folder, by name; imports nothing."""

DATABASE = "control.sqlite"
HEAD_FILE = "audit-head.json"
