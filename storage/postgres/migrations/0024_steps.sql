-- For whom a delivery ran, and what it spent its time on: statements and searches by name.

alter table spans add column caller text;
alter table spans add column steps jsonb;
create index spans_slow_steps on spans (at) where steps @> '[{"slow": true}]';
