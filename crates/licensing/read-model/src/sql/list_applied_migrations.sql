-- schema::check_schema: what has been applied to this database. No binds.
select version, name, checksum
from refinery_schema_history
order by version
