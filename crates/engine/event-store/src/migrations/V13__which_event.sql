-- A position does not say of which log it is: a log that lost its last events gives their positions out again. So a
-- process manager also remembers which event it has read last, and in which life of the log.
alter table process_checkpoints add column fingerprint bytea check (octet_length(fingerprint) = 16);
alter table process_checkpoints add column epoch uuid;
-- A build that keeps neither moves the position alone: then both are of another event, and count as unknown.
alter table process_checkpoints add column marked_position bigint;
comment on column process_checkpoints.fingerprint is 'Fingerprint of the event at the position; null at 0, and until the first start of a build that keeps it.';
comment on column process_checkpoints.marked_position is 'The position that fingerprint and epoch are of; another one than position says that they are unknown.';
comment on column process_checkpoints.epoch is 'The life of the log in which it last moved; null until the first start of a build that keeps it.';
