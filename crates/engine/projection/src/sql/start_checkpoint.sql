-- checkpoint::start: a first checkpoint, unless there is one. Binds: $1 projection text, $2 epoch uuid.
insert into checkpoints (projection, position, epoch)
values ($1, 0, $2)
on conflict (projection) do nothing
