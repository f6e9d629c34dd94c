-- Who a license is for, without a name. Rows that exist stay without: their events are older than holder ids.
alter table licenses add column holder_id uuid;
comment on column licenses.holder_id is 'Keyed hash of the holder; null for licenses that are older than it.';
create index licenses_by_holder on licenses (holder_id, created_at, license_id) where holder_id is not null;
