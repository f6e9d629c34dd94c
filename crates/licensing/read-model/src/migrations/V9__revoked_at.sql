-- When a license was revoked. The projector builds the rows again, for licenses that were revoked before.
alter table licenses add column revoked_at timestamptz;
comment on column licenses.revoked_at is 'When the license was revoked, if it was.';
update checkpoints set epoch = gen_random_uuid() where projection = 'licensing' and position > 0;
