-- What each account holds.
create table balances (
    account_id uuid   primary key,
    cents      bigint not null constraint no_overdraft check (cents >= 0),
    position   bigint not null
);
create index balances_by_cents on balances (cents, account_id);
comment on table  balances            is 'What each account holds.';
comment on column balances.account_id is 'Aggregate id of the account.';
comment on column balances.cents      is 'What it holds.';
comment on column balances.position   is 'Position of its last event.';
