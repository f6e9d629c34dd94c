-- listen::listen. Also notifies the present head, for notifications that were missed before.
listen log_appended;
select pg_notify('log_appended', position::text) from log_head
