-- A license whose holder is forgotten. Before this, none was.
alter table licenses add column holder_erased_at timestamptz;
comment on column licenses.holder_erased_at is 'When its holder was forgotten; then it shows no holder and no vehicle.';
