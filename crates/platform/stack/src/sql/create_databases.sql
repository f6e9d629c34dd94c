-- Databases::create: the statements that create both databases, each owned by the service that writes it and
-- closed to everyone who is not named. Binds: $1 events database, $2 read database.
select statement
from (values
    (1, format('create database %I owner command_api', $1::text)),
    (2, format('create database %I owner projector', $2::text)),
    (3, format('revoke all on database %I from public', $1::text)),
    (4, format('revoke all on database %I from public', $2::text)),
    (5, format('grant connect on database %I to projector', $1::text)),
    (6, format('grant connect on database %I to query_api', $2::text))
) as statements (step, statement)
order by step
