-- revocations::read: the licenses that a gate must refuse from a day on, all or those that changed since a position, and where in the log that is true. Binds: $1 projection text, $2 since bigint or null, $3 first day date, $4 limit bigint.
select head.position, head.epoch, head.stale_since is not null as stale, license.license_id, license.is_void
from (select 1) as one
left join checkpoints head on head.projection = $1
left join (
    select license_id, status in ('revoked', 'suspended') as is_void
    from licenses
    -- The first bound is what the index can use: no license lasts longer.
    where revocation_position is not null and activity_date > $3::date - 31 and activity_date + activity_days > $3::date
      and case when $2::bigint is null then status in ('revoked', 'suspended') else revocation_position > $2 end
    limit $4
) license on true
