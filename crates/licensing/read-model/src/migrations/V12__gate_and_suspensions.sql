-- Licenses at the gate and out of force, and suspensions. Rows that exist have no such events: none came before.
alter table licenses
    add column suspended_at       timestamptz,
    add column corrected_at       timestamptz,
    add column checked_in_at      timestamptz,
    add column checked_in_gate    text,
    add column earliest_scan_at   timestamptz,
    add column earliest_scan_gate text,
    add column scan_count         integer not null default 0,
    add column scan_alert         text;
comment on column licenses.suspended_at       is 'When the license was suspended, while it is.';
comment on column licenses.corrected_at       is 'When holder or vehicle were corrected last.';
comment on column licenses.checked_in_at      is 'When the holder was let in, by the first scan in the log.';
comment on column licenses.checked_in_gate    is 'At which gate.';
comment on column licenses.earliest_scan_at   is 'When the holder was let in, by the scan with the earliest time.';
comment on column licenses.earliest_scan_gate is 'At which gate.';
comment on column licenses.scan_count         is 'Number of recorded scans.';
comment on column licenses.scan_alert         is 'after_revocation or while_suspended, if the holder was let in nevertheless.';
create index licenses_by_checked_in
    on licenses ((case when checked_in_at is null then 'false' else 'true' end), created_at, license_id);

create table suspensions (
    suspension_id     uuid        primary key,
    kind              text        not null,
    status            text        not null,
    holder_id         uuid,
    person_name       text,
    person_birth_date date,
    vehicle           jsonb,
    reason            text        not null,
    until             date,
    lifted_at         timestamptz,
    lift_reason       text,
    search            text        not null default '',
    created_at        timestamptz not null,
    updated_at        timestamptz not null,
    version           bigint      not null,
    position          bigint      not null
);
create index suspensions_by_created on suspensions (created_at, suspension_id);
comment on table  suspensions                   is 'Suspended people and vehicles. One row per suspension.';
comment on column suspensions.suspension_id     is 'Aggregate id of the suspension.';
comment on column suspensions.kind              is 'person or vehicle.';
comment on column suspensions.status            is 'active or lifted. Expiry by date is not a status.';
comment on column suspensions.holder_id         is 'Keyed hash of the person.';
comment on column suspensions.person_name       is 'Full name of the person; personal data.';
comment on column suspensions.person_birth_date is 'Birth date of the person; personal data.';
comment on column suspensions.vehicle           is 'The vehicle; personal data.';
comment on column suspensions.reason            is 'Why, in the words of the person who decided; personal data.';
comment on column suspensions.until             is 'Last day (local date); null until it is lifted.';
comment on column suspensions.lifted_at         is 'When staff ended it.';
comment on column suspensions.lift_reason       is 'Why staff ended it; personal data.';
comment on column suspensions.search            is 'What q searches; personal data.';
comment on column suspensions.created_at        is 'When it was imposed.';
comment on column suspensions.updated_at        is 'When the last event of the suspension was recorded.';
comment on column suspensions.version           is 'Sequence of the last applied event of the suspension.';
comment on column suspensions.position          is 'Log position of the last event that changed the row.';
