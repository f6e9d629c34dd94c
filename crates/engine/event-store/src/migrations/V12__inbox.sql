-- Messages from outside that were dealt with, for as long as their sender may repeat them.

create table inbox_messages (
    source        text        not null,
    key           bytea       not null,
    dealt_with_at timestamptz not null default now(),
    primary key (source, key)
);
create index inbox_messages_by_age on inbox_messages (source, dealt_with_at);
comment on table inbox_messages is 'Messages from outside that were dealt with; forgotten when their sender no longer repeats them.';
comment on column inbox_messages.source is 'Who sends them, for example webhook:vipps.';
comment on column inbox_messages.key is 'What is the same for every delivery of one message.';
comment on column inbox_messages.dealt_with_at is 'When it was.';
