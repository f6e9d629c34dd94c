-- How far the log has come, for readers: they cannot see the log, and wait for no position that no event has.

create table log_heads (
    projection text        primary key,
    position   bigint      not null check (position >= 0),
    seen_at    timestamptz not null
);
comment on table  log_heads            is 'How far the log itself has come, as the projector saw it: what is beyond is in no event. Written about once a second, rows or not.';
comment on column log_heads.projection is 'Name of the projection, for example licensing.';
comment on column log_heads.position   is 'Last position of the log, read after seen_at.';
comment on column log_heads.seen_at    is 'This database''s clock just before the log was asked.';
