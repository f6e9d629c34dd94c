-- batch::store: how far series of receipts are counted. Binds: $1 rows json, an array of objects.
insert into counted_series
select series_id, position from json_to_recordset($1) as r (series_id uuid, position bigint)
on conflict (series_id) do update set position = excluded.position
