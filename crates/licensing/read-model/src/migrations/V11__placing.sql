-- Who a license is for, without a name. Rows that exist stay without: their events are older than holder ids.
alter table licenses add column holder_id uuid;
comment on column licenses.holder_id is 'Keyed hash of the holder; null for licenses that are older than it.';
create index licenses_by_holder on licenses (holder_id, created_at, license_id) where holder_id is not null;

-- Rows that exist are of events that name neither: no cap, exempt from tax.
alter table license_types
    add column lifetime_cap      integer check (lifetime_cap > 0),
    add column tax_code          text    not null default 'exempt',
    add column tax_rate_permille integer not null default 0 check (tax_rate_permille >= 0);
comment on column license_types.lifetime_cap      is 'Most licenses of the type that one holder may ever have; null for no limit.';
comment on column license_types.tax_code          is 'Bookkeeping code of the tax in its prices.';
comment on column license_types.tax_rate_permille is 'That tax as a share of the price without it, in per mille.';

alter table clubs add column status text not null default 'active';
comment on column clubs.status is 'active or inactive.';

create table terms (
    terms_id       uuid        primary key,
    terms_version  text        not null unique,
    valid_from     timestamptz not null check (valid_from between '1900-01-01T00:00:00Z' and '9999-12-31T23:59:59.999999Z'),
    title_nb       text        not null,
    title_en       text        not null,
    text_nb        text        not null,
    text_en        text        not null,
    declaration_nb text        not null,
    declaration_en text        not null,
    created_at     timestamptz not null,
    version        bigint      not null,
    position       bigint      not null
);
comment on table  terms                is 'One row per version of the terms.';
comment on column terms.terms_id       is 'Follows from the terms and the name of the version.';
comment on column terms.terms_version  is 'Name of the version, which orders accept.';
comment on column terms.valid_from     is 'When it comes into force.';
comment on column terms.title_nb       is 'Title in Norwegian (bokmål).';
comment on column terms.title_en       is 'Title in English.';
comment on column terms.text_nb        is 'Text in Norwegian (bokmål), in lines.';
comment on column terms.text_en        is 'Text in English, in lines.';
comment on column terms.declaration_nb is 'What the customer declares, in Norwegian (bokmål).';
comment on column terms.declaration_en is 'What the customer declares, in English.';
comment on column terms.created_at     is 'When it was published.';
comment on column terms.version        is 'Sequence of its event in the aggregate of all terms.';
comment on column terms.position       is 'Log position of that event.';
