-- A position does not say of which log it is: a log that lost its last events gives their positions out again. So a
-- checkpoint also says which event it is at, and whether the rows are known to be of a log that is no more.
alter table checkpoints add column fingerprint bytea check (octet_length(fingerprint) = 16);
alter table checkpoints add column stale_since timestamptz;
alter table parked_events add column builds text[] not null default '{}';
comment on column checkpoints.fingerprint is 'Fingerprint of the event at the position; null at 0, and until the first start of a build that keeps it.';
comment on column checkpoints.stale_since is 'Since when the rows are known to be of another log than there is now: of an earlier epoch, or of events that the log lost. Answers say so.';
comment on column parked_events.builds    is 'The builds of the projector that could not apply the event; a build that is not among them tries once.';
