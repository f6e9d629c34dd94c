-- What q searches is kept in lower case as the projector writes it, so that neither the indexes nor a search have to make
-- it so.
drop index orders_by_search;
drop index licenses_by_search;
update orders set search = lower(search collate "nb-x-icu");
update licenses set search = lower(search collate "nb-x-icu");
create index orders_by_search   on orders   using gin (search gin_trgm_ops);
create index licenses_by_search on licenses using gin (search gin_trgm_ops);
comment on column orders.search   is 'What q searches, in lower case, separated by spaces: order number, holder names, e-mails, phones, vehicles; personal data.';
comment on column licenses.search is 'What q searches, in lower case, separated by spaces: order number, holder name, e-mail, phone, vehicle; personal data.';
