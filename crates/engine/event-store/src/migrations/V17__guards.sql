-- Guards: a command is recorded only while no more than a number of owners hold a claim. What a command has read is then
-- still so when its events are recorded.
-- Takes the claims' steps of one command, its releases first. Returns null; or, when something is taken, who holds it,
-- and then changes no claim.
-- A step with a negative at_most takes nothing: it is refused when -at_most or more hold the claim.
create or replace function settle_claims(
    s_scope text[], s_key text[], s_holder uuid[], s_at_most integer[], at_position bigint
) returns text
language plpgsql as $$
declare
    released claims[];
    mine     boolean;
    held     integer;
    who      uuid[];
    free     integer;
    took     integer[] := '{}';
    slots    integer[] := '{}';
    refused  text[] := '{}';
begin
    with gone as (
        delete from claims c using unnest(s_scope, s_key, s_holder, s_at_most) as s (scope, key, holder, at_most)
        where s.at_most = 0 and c.holder = s.holder and (s.scope is null or (c.scope = s.scope and c.key = s.key))
        returning c.*
    )
    select array_agg(gone::claims) into released from gone;

    for i in 1 .. coalesce(array_length(s_at_most, 1), 0) loop
        continue when s_at_most[i] = 0;
        select count(*), coalesce(bool_or(c.holder = s_holder[i]), false), array_agg(c.holder order by c.slot)
        into held, mine, who
        from claims c where c.scope = s_scope[i] and c.key = s_key[i];
        continue when mine;
        if s_at_most[i] < 0 then
            if held >= -s_at_most[i] then
                refused := refused || json_build_object('scope', s_scope[i], 'key', s_key[i], 'holders', who)::text;
            end if;
            continue;
        end if;
        if held >= s_at_most[i] then
            refused := refused || json_build_object('scope', s_scope[i], 'key', s_key[i], 'holders', who)::text;
            continue;
        end if;
        -- The lowest free one. Fewer than at_most are held, so it is one of these.
        select coalesce(min(c.slot), 0) + 1 into free
        from (select 0 as slot union all select c.slot from claims c where c.scope = s_scope[i] and c.key = s_key[i]) c
        where not exists (select from claims n where n.scope = s_scope[i] and n.key = s_key[i] and n.slot = c.slot + 1);
        insert into claims (scope, key, slot, holder, position)
        values (s_scope[i], s_key[i], free, s_holder[i], at_position);
        took := took || i;
        slots := slots || free;
    end loop;

    if refused = '{}' then
        return null;
    end if;
    delete from claims c using unnest(took, slots) as t (i, slot)
    where c.scope = s_scope[t.i] and c.key = s_key[t.i] and c.slot = t.slot;
    insert into claims select * from unnest(released);
    return '[' || array_to_string(refused, ',') || ']';
end
$$;
