-- Run once, in database chat, in single-user mode. Statements end with an empty line.
REVOKE ALL ON SCHEMA public FROM PUBLIC;

-- The owner of a database owns this schema since PostgreSQL 15; before, the superuser did.
ALTER SCHEMA public OWNER TO chatserver;

-- So that the chat server can have renewed certificates read without being more than an ordinary role.
GRANT EXECUTE ON FUNCTION pg_catalog.pg_reload_conf() TO chatserver;
