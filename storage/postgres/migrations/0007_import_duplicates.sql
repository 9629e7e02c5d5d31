-- What an import does with rows whose text another entry holds.

alter table imports
add column duplicates text not null default 'auto'
check (duplicates in ('auto', 'skip', 'reject', 'keep'));

create index import_staged_text on import_staged (import_id, text_digest);
