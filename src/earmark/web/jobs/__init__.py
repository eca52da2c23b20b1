"""Long work of the server: its queue, its processes, what each kind of job does."""

CANCEL, STOP = b"cancel", b"stop"
"""What the server says to the process of a job: end, or end and be taken up again later."""
