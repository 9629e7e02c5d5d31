"""What crosses a process border: frozen models and the error tree; imports nothing of ours."""
