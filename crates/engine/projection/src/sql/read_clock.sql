-- head::clock: the time of this database. No binds.
select clock_timestamp() as now
