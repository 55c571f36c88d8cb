"""The networks that come with the package, and hands and faces placed from the body."""
