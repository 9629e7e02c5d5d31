-- Who archived an entry: what an import or an undo took away, a row of an import brings back.

-- Archived by a replace or an undo, not by a person.
alter table entries add column withdrawn boolean not null default false;
alter table entry_versions add column withdrawn boolean not null default false;

-- Rows about entries that someone has archived.
alter table import_chunks add column archived integer not null default 0;
