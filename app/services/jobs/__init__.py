"""Jobs: long work that is asked for by one process and done by another, and goes on wherever it stopped.

What a kind of job needs, in `kind.py` and `running.py`:

- A kind is a `Kind`: its name, `check` of the parameters when it is asked for, and `run(context, job) -> Outcome`. It
  is a row of the table in `kinds.py`.
- `job` is a `Running`: `parameters`, `collection()`, `position` (that of the last checkpoint, None at the start),
  `phase(name, total)`, `advance(...)` for what is shown only, `reject(...)`, `checkpoint(connection, position, ...)`
  inside the transaction of the rows that it covers (`save` where there is none), and `safe_point()`, which is called
  often and ends the run where the job is to pause, was cancelled, or is another worker's now.
- A run that loses the database, or is told `Unavailable`, is begun anew from the last checkpoint, by itself, as often
  as it takes: so a run must stand being begun anew, and that is all that it takes to survive `kill -9`.
- Any other `LookalikeError` fails the job, with its sentence as the reason. One record never should: `reject` it.

`asking.py` makes jobs and tells of them, `working.py` does them: threads of a server or of `lookalike worker`, or the
process of a command, which does exactly the job that it made.
"""
