"""The `homeport` command. One file per subcommand offers one `click.Command`."""
