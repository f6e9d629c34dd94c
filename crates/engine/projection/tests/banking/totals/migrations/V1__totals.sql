-- What all accounts together moved, by kind of event.
create table totals (
    kind   text   primary key,
    events bigint not null,
    cents  bigint not null
);
comment on table  totals        is 'What all accounts together moved.';
comment on column totals.kind   is 'Type of the events.';
comment on column totals.events is 'How many events.';
comment on column totals.cents  is 'Sum of their amounts.';
