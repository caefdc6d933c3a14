"""What can be wrong with the machine and the settings."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import closing

from broken import Breaking, Site, broken

from homeport.diagnostics import database, disk
from homeport.kit import server
from homeport.store.tables import HEAD


@broken("configuration", saw="HOMEPORT_PORT (environment) cannot be 'x'", fix="Mend them and ask again")
async def a_setting_that_cannot_be_read(site: Site) -> Breaking:
    """A setting cannot be read."""
    site.environment["HOMEPORT_PORT"] = "x"
    yield
    del site.environment["HOMEPORT_PORT"]


@broken("configuration", saw="there is no such setting", fix="Did you mean HOMEPORT_LOG_JSON?")
async def a_misspelt_setting(site: Site) -> Breaking:
    """A setting's name is misspelt."""
    site.environment["HOMEPORT_LOG_JSN"] = "true"
    yield
    site.environment["HOMEPORT_LOG_JSN"] = None


@broken("ports", where="bare", saw="Another program listens on port", fix="HOMEPORT_PORT")
async def a_port_that_is_taken(site: Site) -> Breaking:
    """Another program has the port."""
    with closing(server.listen("127.0.0.1", 0)) as listener:
        site.environment["HOMEPORT_PORT"] = str(listener.getsockname()[1])
        yield
    site.environment["HOMEPORT_PORT"] = "9"


@broken("data_dir", where="bare", saw="There is no data directory", fix="homeport up")
async def no_data_directory(site: Site) -> Breaking:
    """The data directory is another one, which is not there."""
    site.environment["HOMEPORT_DATA_DIR"] = str(site.folder / "elsewhere")
    yield
    del site.environment["HOMEPORT_DATA_DIR"]


@broken("data_dir", saw="Other users may read", fix="chmod 600")
async def a_key_file_that_others_may_read(site: Site) -> Breaking:
    """Other users may read the key file."""
    file = site.instance.settings.data_dir / "keys"
    file.chmod(0o604)
    yield
    file.chmod(0o600)


@broken("disk", saw="MiB are free", fix="Free some space")
async def a_full_disk(site: Site) -> Breaking:
    """The disk is full."""
    site.monkeypatch.setattr(disk, "LEAST", 2**62)
    site.monkeypatch.setattr(disk, "LITTLE", 2**62)
    yield
    site.monkeypatch.undo()


@broken("logs", saw="there is no such directory", fix="HOMEPORT_LOG_FILE")
async def a_log_that_cannot_be_written(site: Site) -> Breaking:
    """The directory of the log is not there, or not writable."""
    site.environment["HOMEPORT_LOG_FILE"] = str(site.folder / "none" / "homeport.log")
    yield
    site.environment["HOMEPORT_LOG_FILE"] = None


@broken("correlation", saw="has no line about", fix="See that the server writes to")
async def a_log_that_the_server_does_not_write(site: Site) -> Breaking:
    """The log file was moved away under the server."""
    file = site.folder / "moved.log"
    file.write_text("")
    site.environment["HOMEPORT_LOG_FILE"] = str(file)
    yield
    site.environment["HOMEPORT_LOG_FILE"] = None
    file.unlink()


@broken("metrics", saw="is not Homeport", fix="HOMEPORT_METRICS_PORT")
async def the_metrics_port_of_another_program(site: Site) -> Breaking:
    """Another program answers at the metrics port that the server wrote down."""
    note = site.instance.settings.data_dir / "run.json"
    before = note.read_text()
    note.write_text(json.dumps(json.loads(before) | {"metrics_port": site.instance.models.port}))
    yield
    note.write_text(before)


@broken("server", saw="Nothing answers at", fix="Start it with `homeport up`")
async def no_server(site: Site) -> Breaking:
    """The server does not run."""
    with closing(server.listen("127.0.0.1", 0)) as listener:
        site.environment["HOMEPORT_URL"] = f"http://127.0.0.1:{listener.getsockname()[1]}"
    yield
    site.environment["HOMEPORT_URL"] = None


@broken("server", saw="is not Homeport", fix="Set HOMEPORT_URL")
async def another_program_at_the_address(site: Site) -> Breaking:
    """Another program answers at Homeport's address."""
    site.environment["HOMEPORT_URL"] = site.instance.models.url.removesuffix("/v1")
    yield
    site.environment["HOMEPORT_URL"] = None


@broken("server", saw="is no address", fix="HOMEPORT_URL=http://127.0.0.1:")
async def an_address_without_its_scheme(site: Site) -> Breaking:
    """Homeport's address is given without its `http://`."""
    site.environment["HOMEPORT_URL"] = site.instance.url.removeprefix("http://")
    yield
    site.environment["HOMEPORT_URL"] = None


@broken("server", saw="speaks plain HTTP", fix="HOMEPORT_URL=http://127.0.0.1:")
async def https_where_homeport_speaks_http(site: Site) -> Breaking:
    """Homeport's address says https, and it speaks plain HTTP."""
    site.environment["HOMEPORT_URL"] = site.instance.url.replace("http:", "https:")
    yield
    site.environment["HOMEPORT_URL"] = None


@broken("server", saw="has a path behind it", fix="HOMEPORT_URL=http://127.0.0.1:")
async def an_address_with_a_path(site: Site) -> Breaking:
    """Homeport's address ends in the `/v1` that clients ask for."""
    site.environment["HOMEPORT_URL"] = f"{site.instance.url}/v1"
    yield
    site.environment["HOMEPORT_URL"] = None


async def _version(site: Site, version: str) -> None:
    # apart from the loop, on which whoever reads just now has to finish
    await asyncio.to_thread(_write_version, site, version)


def _write_version(site: Site, version: str) -> None:
    with closing(sqlite3.connect(site.instance.settings.data_dir / "homeport.db", timeout=60)) as database:
        database.execute("UPDATE alembic_version SET version_num = ?", (version,))
        database.commit()


@broken("database", saw="this program needs", fix="homeport db upgrade")
async def an_old_schema(site: Site) -> Breaking:
    """The tables are older than the program."""
    await _version(site, "0000")
    yield
    await _version(site, HEAD)
    await site.instance.seen()


@broken("database", saw="newer than this program", fix="Start the newer Homeport again")
async def a_newer_schema(site: Site) -> Breaking:
    """The tables are newer than the program."""
    await _version(site, "9999")
    yield
    await _version(site, HEAD)
    await site.instance.seen()


@broken("database", saw="may not be written", fix="the right to write")
async def a_read_only_disk(site: Site) -> Breaking:
    """The database's disk is mounted read-only."""
    file = site.instance.settings.data_dir / "homeport.db"
    site.environment["HOMEPORT_DATABASE_URL"] = f"sqlite+aiosqlite:///file:{file}?mode=ro&uri=true"
    yield
    site.environment["HOMEPORT_DATABASE_URL"] = None


@broken("database", saw="is damaged (SQLITE_NOTADB)", fix="homeport db restore FILE")
async def a_damaged_database(site: Site) -> Breaking:
    """The database file is damaged."""
    file = site.folder / "damaged.db"
    file.write_bytes(b"not a database, but long enough to be read as one" * 100)
    site.environment["HOMEPORT_DATABASE_URL"] = f"sqlite+aiosqlite:///{file}"
    yield
    site.environment["HOMEPORT_DATABASE_URL"] = None


@broken("database", saw="busy with someone else's change", fix="end that one's transaction")
async def a_locked_database(site: Site) -> Breaking:
    """Another program holds the database locked."""
    site.monkeypatch.setattr(database, "PATIENCE_S", 0.1)
    with closing(sqlite3.connect(site.instance.settings.data_dir / "homeport.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
    site.monkeypatch.undo()
    await site.instance.seen()


@broken("database", saw="PostgreSQL", fix="HOMEPORT_DATABASE_URL")
async def a_postgresql_that_is_down(site: Site) -> Breaking:
    """PostgreSQL is down."""
    with closing(server.listen("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    site.environment["HOMEPORT_DATABASE_URL"] = f"postgresql://homeport:secret-canary@127.0.0.1:{port}/homeport"
    yield
    site.environment["HOMEPORT_DATABASE_URL"] = None


@broken("database", saw="the user or the password is wrong", fix="Mend user and password in HOMEPORT_DATABASE_URL")
async def a_wrong_password_for_postgresql(site: Site) -> Breaking:
    """PostgreSQL does not accept the password."""

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # the client asks for TLS, which is not spoken here, and then says who it is
        for answer in (b"N", _FATAL):
            await reader.readexactly(int.from_bytes(await reader.readexactly(4), "big") - 4)
            writer.write(answer)
        writer.close()

    listener = await asyncio.start_server(refuse, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    site.environment["HOMEPORT_DATABASE_URL"] = f"postgresql://homeport:secret-canary@127.0.0.1:{port}/homeport"
    yield
    site.environment["HOMEPORT_DATABASE_URL"] = None
    listener.close()


_SAID = b"SFATAL\0VFATAL\0C28P01\0Mpassword authentication failed\0\0"
_FATAL = b"E" + (len(_SAID) + 4).to_bytes(4, "big") + _SAID
"""What PostgreSQL says of a wrong password ("Message Formats", ErrorResponse)."""


@broken("keys", saw="There is no key file", fix="homeport db new-keys")
async def a_lost_key_file(site: Site) -> Breaking:
    """The key file is lost."""
    file = site.instance.settings.data_dir / "keys"
    kept = file.read_bytes()
    file.unlink()
    yield
    file.write_bytes(kept)
    file.chmod(0o600)


@broken("air_gap", saw="Outside of 10.0.0.0/8, 127.0.0.0/8: default model 203.0.113.9", fix="HOMEPORT_ALLOWED_NETWORKS")
async def an_open_air_gap(site: Site) -> Breaking:
    """A configured host is outside of the allowed networks."""
    site.environment["HOMEPORT_ALLOWED_NETWORKS"] = "10.0.0.0/8,127.0.0.0/8"
    site.environment["HOMEPORT_DEFAULT_ENDPOINT"] = "http://203.0.113.9/v1"
    yield
    site.environment["HOMEPORT_DEFAULT_ENDPOINT"] = None


@broken("token_accepted", saw="is not accepted", fix="homeport tokens create")
async def a_wrong_token(site: Site) -> Breaking:
    """The token is mistyped or revoked."""
    site.environment["HOMEPORT_TOKEN"] = "hp_wrong-canary"
    yield
    made = await site.instance.run("tokens", "create", "--name", "fresh", "--json")
    site.environment["HOMEPORT_TOKEN"] = json.loads(made.out)["token"]
    await site.instance.seen()


@broken("token_accepted", saw="There is no token", fix="homeport tokens create")
async def no_token(site: Site) -> Breaking:
    """There is no token."""
    file = site.instance.settings.data_dir / "token"
    kept = file.read_bytes()
    file.unlink()
    yield
    file.write_bytes(kept)
    file.chmod(0o600)


@broken("licence", saw="lacks the scope complete_code", fix="homeport tokens create --name NAME --scopes complete_code")
async def a_missing_scope(site: Site) -> Breaking:
    """The token lacks a scope."""
    made = await site.instance.run(
        "tokens", "create", "--name", "reader", "--scopes", "duo_chat,generate_code", "--json"
    )
    site.environment["HOMEPORT_TOKEN"] = json.loads(made.out)["token"]
    await site.instance.seen()
    yield
    scopes = "complete_code,duo_chat,generate_code"
    made = await site.instance.run("tokens", "create", "--name", "better", "--scopes", scopes, "--json")
    site.environment["HOMEPORT_TOKEN"] = json.loads(made.out)["token"]
    await site.instance.seen()
