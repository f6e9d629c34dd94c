-- Lease::hold. $1 name, $2 holder, $3 seconds. One row if it is held now: taken, renewed, or taken over after it ran out.
insert into leases as l (name, holder, expires_at)
values ($1, $2, clock_timestamp() + make_interval(secs => $3))
on conflict (name) do update set holder = excluded.holder, expires_at = excluded.expires_at
    where l.holder = excluded.holder or l.expires_at < clock_timestamp()
returning 1
