-- write::reset: forgets every row of the projection. No binds.
truncate orders, licenses, license_types, clubs
