-- Databases::create, in the events database: the projector reads what command-api's migrations will create.
alter default privileges for role command_api in schema public grant select on tables to projector;
