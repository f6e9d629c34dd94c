-- loader::query. $1..$4 per load: aggregate type, id, after this sequence, shape of a usable snapshot or null; $5 most events of each.
-- One row per load, in any order: its number, the epoch, its snapshot, its events as lists of sequences, types, versions and payloads, separated by a character that JSON can't hold as such (page.rs), null without events; the head; and data keys as lists, null without any: the aggregate's keys with ids, and those of its events.
select l.n, h.epoch, s.sequence, s.correlation_id, s.state, e.sequences, e.event_types, e.event_versions, e.payloads, e.correlation_id, h.position, k.keys, e.keys
from unnest($1::text[], $2::uuid[], $3::bigint[], $4::text[]) with ordinality as l (aggregate_type, aggregate_id, after, shape, n)
cross join log_head h
left join lateral (
    select s.sequence, s.correlation_id, s.state
    from snapshots s
    where s.aggregate_type = l.aggregate_type and s.aggregate_id = l.aggregate_id and s.shape = l.shape and s.epoch = h.epoch
      and exists (
          select from events e
          where e.aggregate_type = s.aggregate_type and e.aggregate_id = s.aggregate_id and e.sequence = s.sequence
            and e.position = s.position)
) s on true
cross join lateral (
    select string_agg(e.sequence::text, E'\x1f') as sequences, string_agg(e.event_type, E'\x1f') as event_types,
           string_agg(e.event_version, E'\x1f') as event_versions, string_agg(e.payload, E'\x1f') as payloads,
           min(e.correlation_id) as correlation_id, string_agg(d.keys, E'\x1f') as keys
    from (
        select e.position, e.sequence, e.event_type, e.event_version, e.payload,
               case when e.sequence = 1 then e.metadata::json ->> 'correlation_id' end as correlation_id
        from events e
        where e.aggregate_type = l.aggregate_type and e.aggregate_id = l.aggregate_id and e.sequence > coalesce(s.sequence, l.after)
        order by e.sequence
        limit $5
    ) e
    left join lateral (
        -- The slice of its batch's keys: those of one event stand together.
        select string_agg(e.sequence || ' ' || k.person_id || ' ' || k.master_key || ' ' || encode(k.wrapped, 'hex'), E'\x1f' order by k.n) as keys
        from (select d.* from data_keys d where d.after < e.position order by d.after desc limit 1) d
        cross join lateral (
            select i[1] as first, i[cardinality(i)] as last from array_positions(d.events, least(e.position - d.after, 2147483647)::integer) as i
        ) i
        cross join lateral unnest(d.person_ids[i.first:i.last], d.master_keys[i.first:i.last], d.wrapped[i.first:i.last])
            with ordinality as k (person_id, master_key, wrapped, n)
    ) d on strpos(e.payload, '{"$sealed":"') > 0
) e
cross join lateral (
    select string_agg(k.key_id || ' ' || k.person_id || ' ' || k.master_key || ' ' || encode(k.wrapped, 'hex'), E'\x1f') as keys
    from person_keys k
    where k.aggregate_id = l.aggregate_id and k.wrapped <> ''
) k
