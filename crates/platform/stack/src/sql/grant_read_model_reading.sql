-- Databases::create, in the read database: query-api reads what the projector's migrations will create.
alter default privileges for role projector in schema public grant select on tables to query_api;
