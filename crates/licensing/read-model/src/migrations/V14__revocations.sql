-- What a gate without a network must refuse. A row gets a position with the event that revokes or suspends it first, and a
-- later one with each event after that, so that what changed since a position is found by it. Rows that are revoked already
-- get theirs here; a rebuild gives the same or an earlier one.
alter table licenses add column revocation_position bigint;
comment on column licenses.revocation_position is 'Log position of the last event since it was revoked or suspended first; null for a license that never was.';
update licenses set revocation_position = position where status in ('revoked', 'suspended');
create index licenses_by_revocation on licenses (activity_date, revocation_position) where revocation_position is not null;
