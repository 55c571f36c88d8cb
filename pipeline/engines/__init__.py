"""Where chunks and videos are worked on: this process, worker processes, a Ray cluster."""
