-- Searches that are asked for good, and the entries that came to fit them.

create table saved_searches (
    name text primary key,
    query text not null,
    category text [] not null,
    webhook text not null,                   -- '' for none
    -- Only changes after this place of the feed can match.
    txid xid8 not null,
    seq bigint not null,
    updated_at timestamptz not null default now(),
    updated_by text not null
);

create table saved_matches (
    id uuid primary key,                     -- and of the event that is raised
    search text not null references saved_searches (name) on delete cascade,
    entry_id uuid not null,
    version integer not null,
    at timestamptz not null default now(),
    raised boolean not null default false,   -- its event is on its way
    posted boolean not null,                 -- to the webhook, or there is none
    unique (search, entry_id, version)
);
create index saved_matches_newest on saved_matches (search, id desc);
create index saved_matches_unraised on saved_matches (id) where not raised;
create index saved_matches_unposted on saved_matches (search, id) where not posted;

-- How far the change feed was looked through, for all of them.
create table saved_place (
    one boolean primary key default true check (one),
    epoch text not null,
    txid xid8 not null,
    seq bigint not null
);

-- What many ask for: suggested while somebody types.
create table popular_queries (
    query text primary key,                  -- normalised, and masked
    searches bigint not null                 -- that found something, in the last 30 days
);
