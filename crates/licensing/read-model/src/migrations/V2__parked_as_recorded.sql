-- What can't be applied must still be kept: jsonb refuses JSON that the log holds, such as a text with \u0000, and then
-- nothing would be parked and everybody would wait.
alter table parked_events alter column event type text using event::text;
comment on column parked_events.event is 'The recorded event as it travelled: JSON.';
