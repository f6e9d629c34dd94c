-- databases::create_roles: one process at a time, until its session ends. The number is arbitrary, and ours.
select pg_advisory_lock(7309442101)
