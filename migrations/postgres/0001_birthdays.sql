-- The checks repeat the domain's rules. "Before today" stays with the service: a check on the current date would break restores.
-- The free tenth of each page lets a new date for the same name be written in place (heap-only tuple), without touching the index.
create table birthdays (
    username text collate "C" primary key check (username ~ '^[A-Za-z]{1,64}$'),
    date_of_birth date not null check (date_of_birth between date '0001-01-01' and date '9999-12-31')
) with (fillfactor = 90);
