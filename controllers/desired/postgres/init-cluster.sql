-- Run once, in database postgres, in single-user mode. Statements end with an empty line.
CREATE ROLE chatserver LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD NULL;

-- The text of an ordinary error can quote what someone typed. The client gets it in any case; the log gets only what
-- concerns the server. The role cannot change this: the setting is a superuser's.
ALTER ROLE chatserver SET log_min_messages = 'log';

CREATE DATABASE chat OWNER chatserver;

REVOKE ALL ON DATABASE chat FROM PUBLIC;

REVOKE ALL ON DATABASE postgres FROM PUBLIC;

REVOKE ALL ON DATABASE template1 FROM PUBLIC;
