-- What people teach the search: words that mean the same, and what to show first.

create table synonyms (
    category text not null,                  -- '' for all
    word text not null,
    same_as text [] not null,
    updated_at timestamptz not null default now(),
    updated_by text not null,
    primary key (category, word)
);

create table pins (
    query text primary key,                  -- in lower case, single spaces
    entries uuid [] not null,                -- the first one first
    updated_at timestamptz not null default now(),
    updated_by text not null
);

-- Grows with every change of either table: index writers publish what they have not published.
create table search_tuning (
    one boolean primary key default true check (one),
    version bigint not null
);
