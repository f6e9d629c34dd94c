-- Log::begin_epoch. $1 the epoch that ends, $2 why. No row if it has ended already.
with begun as (
    update log_head set epoch = gen_random_uuid() where epoch = $1 returning epoch, position
), notified as (
    select pg_notify('log_appended', position::text) from begun
)
insert into log_epochs (epoch, after_position, began_at, reason)
select begun.epoch, begun.position, clock_timestamp(), $2 from begun, notified
returning after_position, epoch
