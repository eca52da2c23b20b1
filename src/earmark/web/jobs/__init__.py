"""Long work of the server: its queue, its processes, what each kind does, what is kept."""
