"""The front of the house: which path leads where, and what anybody may see without signing in."""
