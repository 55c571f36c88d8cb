"""Networks: what they are given, what they answer, and what that means."""
