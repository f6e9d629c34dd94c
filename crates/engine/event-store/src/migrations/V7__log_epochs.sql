-- The lives of the log: a new one whenever it was restored to an earlier point, so that events were published that it
-- does not hold any more.
create table log_epochs (
    epoch          uuid        primary key,
    after_position bigint      not null check (after_position >= 0),
    began_at       timestamptz not null,
    reason         text        not null
);
comment on table log_epochs is 'One row per life of the log. Rows are only ever added.';
comment on column log_epochs.epoch is 'Its identity, as log_head has it while it lasts.';
comment on column log_epochs.after_position is 'Where the log ended when it began: this far it is the same as the life before.';
comment on column log_epochs.began_at is 'When, by the database''s clock.';
comment on column log_epochs.reason is 'Why: what somebody said, or what was noticed.';
insert into log_epochs (epoch, after_position, began_at, reason)
select epoch, 0, now(), 'the log began' from log_head;

create trigger epochs_are_final before update or delete or truncate on log_epochs
    for each statement execute function refuse_change();
