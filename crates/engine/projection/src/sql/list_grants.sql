-- swap::prepare: the statements that give the incoming tables the rights of the live ones, and no other. A new table gets the default privileges of the schema. Binds: $1 live schema text, $2 incoming schema text.
with incoming as (
    select c.relname, c.relacl, c.relowner, live.oid is not null as replaces, live.relacl as live_acl
    from pg_class c
    left join pg_class live on live.relnamespace = to_regnamespace($1::text) and live.relname = c.relname
    where c.relnamespace = to_regnamespace($2::text) and c.relkind in ('r', 'p')
), due as (
    select relname, relowner, case
        when replaces then live_acl
        else (select defaclacl from pg_default_acl
              where defaclrole = relowner and defaclnamespace = to_regnamespace($1::text) and defaclobjtype = 'r')
    end as acl
    from incoming
)
select statement
from (
    select 1 as step, format('revoke all on %I.%I from %s', $2::text, i.relname,
        case has.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(has.grantee)) end) as statement
    from incoming i
    cross join lateral aclexplode(i.relacl) as has
    where has.grantee <> i.relowner
    union all
    select 2, format('grant %s on %I.%I to %s%s', may.privilege_type, $2::text, d.relname,
        case may.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(may.grantee)) end,
        case when may.is_grantable then ' with grant option' else '' end)
    from due d
    cross join lateral aclexplode(d.acl) as may
    where may.grantee <> d.relowner
) statements
order by step
