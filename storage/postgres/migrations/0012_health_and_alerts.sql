-- How the system was, and what of it somebody has to know.

create table health_samples (
    at timestamptz not null default now(),
    node text not null,                      -- whose disk, index and requests they are
    numbers jsonb not null,
    primary key (node, at)
);
create index health_samples_at on health_samples (at);

create table alerts (
    id uuid primary key,
    rule text not null,
    subject text not null,                   -- a queue, a node; '' = the whole system
    severity text not null check (severity in ('warning', 'page')),
    state text not null check (state in ('pending', 'firing', 'acknowledged', 'resolved')),
    value double precision not null,
    threshold double precision not null,
    message text not null,
    since timestamptz not null default now(),
    changed_at timestamptz not null default now(),
    acknowledged_by text,
    note text,
    told jsonb not null default '{}'         -- by channel the state that was sent there last
);
-- One of a rule and subject at a time.
create unique index alerts_open on alerts (rule, subject) where state <> 'resolved';
create index alerts_page on alerts (changed_at desc, id desc);
