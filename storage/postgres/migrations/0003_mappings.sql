-- Mappings kept under a name, and what an import assumed of its sources.

create table mappings (
    name text primary key,
    shape jsonb not null,                    -- mapping, defaults, splits
    updated_at timestamptz not null default now(),
    updated_by text not null
);

alter table imports add column notes text [] not null default '{}';
