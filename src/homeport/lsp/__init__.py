"""A language server for editors: asks a Homeport over HTTP, and has nothing of the server in it."""
