-- Devices ask for what has changed since they asked last.
create index licenses_by_position on licenses (position, license_id);
