"""The path into space: the lifter, and what places people in one world."""
