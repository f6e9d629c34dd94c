-- Lease::release. $1 name, $2 holder.
delete from leases where name = $1 and holder = $2
