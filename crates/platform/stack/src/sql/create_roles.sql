-- databases::create_roles: the statements that give each role its password, for roles that exist and for new
-- ones. Binds: $1 text[] role names, $2 text[] their passwords, in the same order.
select format(
    case
        when exists (select from pg_roles where rolname = wanted.name) then 'alter role %I login password %L'
        else 'create role %I login password %L'
    end,
    wanted.name,
    wanted.password
)
from unnest($1::text[], $2::text[]) as wanted (name, password)
