-- What events come to: by hour and day, by entry and by query.

create table event_hours (
    metric text not null,
    hour timestamptz not null,
    category text not null,                  -- '' is all of them together
    value double precision not null,
    primary key (metric, category, hour)
);

create table event_days (
    metric text not null,
    day date not null,                       -- in UTC
    category text not null,
    value double precision not null,
    primary key (metric, category, day)
);

-- Durations of searches: bucket n holds those up to 2^(n/8) ms.
create table search_latency (
    hour timestamptz not null,
    bucket smallint not null,
    searches integer not null,
    primary key (hour, bucket)
);

create table search_latency_days (
    day date not null,
    bucket smallint not null,
    searches integer not null,
    primary key (day, bucket)
);

create table entry_days (
    entry_id uuid not null,
    day date not null,
    shown integer not null,                  -- among a search's hits
    viewed integer not null,
    copied integer not null,
    taken integer not null,                  -- as a suggestion
    exported integer not null,
    worked integer not null,
    failed integer not null,
    ratings integer not null,
    rating_sum integer not null,
    used integer generated always as (viewed + copied + taken + exported) stored,
    primary key (entry_id, day)
) with (fillfactor = 70);                    -- a row is counted up many times in its day
create index entry_days_used on entry_days (day, used desc) include (entry_id) where used > 0;
create index entry_days_rated on entry_days (day) where worked + failed + ratings > 0;

create table query_days (
    day date not null,
    query text not null,                     -- normalised
    searches integer not null,
    empty integer not null,                  -- that found nothing
    clicked integer not null,
    ranked integer not null,                 -- clicked, and the rank is known
    reciprocal double precision not null,    -- sum of 1 / rank of the first click
    took_ms double precision not null,
    unclicked integer generated always as (searches - empty - clicked) stored,
    primary key (query, day)
) with (fillfactor = 70);
create index query_days_searches on query_days (day, searches desc);
create index query_days_empty on query_days (day, empty desc) where empty > 0;
create index query_days_unclicked on query_days (day, unclicked desc) where unclicked > 0;

-- Searches whose first click is counted.
create table search_clicks (
    search_id uuid primary key,
    rank integer                             -- null: the entry was not among the hits
);

-- Counters of entries, beside them: a view is no new version and no change for the index.
create table entry_usage (
    entry_id uuid primary key,
    usage bigint not null default 0,         -- views, copies, suggestions taken, exports
    success bigint not null default 0,
    failure bigint not null default 0,
    ratings bigint not null default 0,
    rating_sum bigint not null default 0,
    last_used_at timestamptz,
    fed_usage bigint not null default 0,     -- as it was when the feed last told the index
    fed_rated bigint not null default 0,
    fed_at timestamptz
);
-- Moved so far that the index should know.
create index entry_usage_moved on entry_usage (entry_id)
where usage >= fed_usage + 4 + fed_usage / 4 or success + failure > fed_rated;

create table entry_counts (
    day date primary key,
    live integer not null,
    archived integer not null
);

-- How far the change feed is counted.
create table feed_counted (
    one boolean primary key default true check (one),
    epoch text not null,
    txid xid8 not null,
    seq bigint not null
);
