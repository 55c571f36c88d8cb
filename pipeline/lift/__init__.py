"""From the picture into space: the lifter, and the placing of all people in one world."""
