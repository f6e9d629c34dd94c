-- seal::table::Table::bounds.
select coalesce(min(position), 1), coalesce(max(position), 0) from events
