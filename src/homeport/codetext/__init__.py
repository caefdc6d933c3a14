"""Pure functions over code text: what to send to a model, what to keep of its answer."""
