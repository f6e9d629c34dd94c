-- import::Importer::finish. A commit that waits for the disk, and so for those before it that did not.
with waits as materialized (select set_config('synchronous_commit', 'on', true))
update log_head h set position = h.position from waits
