-- Seals: what makes a change of the log visible to whoever holds the public key and the file outside this database.

create table log_seals (
    first_position     bigint      primary key check (first_position > 0),
    last_position      bigint      not null unique check (last_position >= first_position),
    epoch              uuid        not null,
    merkle_root        bytea       not null check (octet_length(merkle_root) = 32),
    previous_seal_hash bytea       not null unique check (octet_length(previous_seal_hash) = 32),
    sealed_at          timestamptz not null,
    signature          bytea       not null check (octet_length(signature) = 64),
    leaf_marks         bytea       not null
);
alter table log_seals alter column leaf_marks set storage external;
comment on table log_seals is 'One row per sealed range of positions, each chained to the one before. Rows are only ever added.';
comment on column log_seals.first_position is 'The range''s first position: one after the last of the seal before, so that two sealers can''t both go on from there.';
comment on column log_seals.last_position is 'The range''s last position.';
comment on column log_seals.epoch is 'The log''s epoch when it was sealed.';
comment on column log_seals.merkle_root is 'Root of the RFC 6962 tree over the range''s events.';
comment on column log_seals.previous_seal_hash is 'SHA-256 of the seal before; zeros in the first.';
comment on column log_seals.sealed_at is 'When, by the sealer''s clock.';
comment on column log_seals.signature is 'Ed25519 over everything above.';
comment on column log_seals.leaf_marks is 'The first eight bytes of each leaf''s hash. Proves nothing; says which event it was that no longer fits the root.';

create trigger seals_are_final before update or delete or truncate on log_seals
    for each statement execute function refuse_change();
