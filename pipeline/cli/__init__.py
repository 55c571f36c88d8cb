"""Commands: a command parses, calls one function, prints. Progress and errors go to standard error."""
