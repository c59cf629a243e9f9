-- The checks repeat the domain's rules. "Before today" stays with the service: a check on the current date would break restores.
create table birthdays (
    username text not null primary key check (length(username) between 1 and 64 and username not glob '*[^A-Za-z]*'),
    date_of_birth text not null check (
        date_of_birth glob '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]'
        and date_of_birth = date(date_of_birth)
        and date_of_birth >= '0001-01-01'
    )
) strict, without rowid;
