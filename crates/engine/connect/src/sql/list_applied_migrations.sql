-- migrations::applied: what has been applied to the tables that the session sees. No binds.
select version, name, checksum
from refinery_schema_history
order by version
