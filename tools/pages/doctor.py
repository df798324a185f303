"""The page on `fairlead doctor`: every problem it knows."""

from fairlead.commands.doctor.problems import PROBLEMS
from tools.pages.text import NOTE


def doctor() -> str:
    """Return the page on `fairlead doctor`: every problem it knows."""
    rows = [
        f"| `{code}`{' (notice)' if problem.is_notice else ''} | {problem.why} | {problem.todo} |"
        for code, problem in PROBLEMS.items()
    ]
    return _DOCTOR.format(note=NOTE, rows="\n".join(rows))


_DOCTOR = """\
# fairlead doctor

{note}

```text
fairlead doctor [--data DIR] [--config FILE] [--full] [--json]
```

```console
$ .venv/bin/fairlead doctor --data data
    looked at         found
ok  settings          all right, from defaults, environment and flags
...
ok  data folder       data is not there yet; a start makes it
...
ok  address           127.0.0.1:3080 is free
...
$ echo $?
0
```

Looks for what would keep a system from working as promised, running or not, and says for each problem what
was found, why it matters and what to do. It reads and measures, and changes nothing. `--full` applies every
report of the journal again, as `fairlead verify` does; without it the end of the journal is looked at, in
bounded time.

Exit code 0: no problem (there may be notices). 1: at least one problem. 2: the command line is wrong.

`--json` prints an object: `findings`, each with `code`, `found`, `why`, `todo`, `is_notice`; and `fine`, each
with `check` and `found`.

## What it looks at

- Settings, market tape, log file.
- The key that locks stored secrets, and the control plane's database: there, reachable, writable, and of a
  step that this version knows.
- Python, SQLite and every package against the locked versions.
- The limits of open files and of file size: those of the running process when there is one.
- Whether a time service keeps the clock, as the kernel says without any network; the clock of the exchange
  when one can be asked.
- File system, free space, inodes, and the time of a sync in the data folder.
- Who may read and write the folder, whose its files are, and what lies there.
- Who holds the folder, whether endpoint.json says so, whether the system answers and is reconciled; the
  address to listen on.
- The journal and the simulated exchange's store.

## Problems

| code | why it matters | what to do |
|---|---|---|
{rows}
"""
