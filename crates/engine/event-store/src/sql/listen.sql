-- listen::listen. The head as of now too, for what was announced while nobody listened.
listen log_appended;
select pg_notify('log_appended', position::text) from log_head
