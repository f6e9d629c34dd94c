-- A type says category, discipline and role: the planner learns which of them occur together, and which never do.
create statistics licenses_of_a_type (dependencies, mcv) on license_type, category, discipline, role from licenses;

-- An order whose activities last until after a day is found without a look at the rows of all that began before it.
drop index orders_by_activity;
create index orders_by_activity on orders (activity_from, order_id, activity_to);

-- The same for licenses of a type whose other words are asked for as well: a type has one of each, so another finds nothing.
drop index licenses_by_license_type;
create index licenses_by_license_type on licenses (license_type, created_at, license_id, role, category, discipline);
