//! The consequences of each kind of database error.

use sqlx::{Connection, SqliteConnection, raw_sql};

use super::*;

/// Every class of SQLSTATE that the service's connections and statements can encounter (PostgreSQL manual, appendix A).
#[test]
fn each_sqlstate_and_severity_has_the_consequence_that_heals() {
    use Close::{All, None, This};
    use Kind::{Busy, Conflict, Login, Lost, Other, ReadOnly, Row, Schema, Stale};
    let codes: [(&str, Kind, Close, bool); 25] = [
        ("08000 08001 08003 08004 08006 08007 08P01", Lost, All, true),
        ("25P03 25P04", Lost, All, true),
        ("57P01 57P02 57P03 57P04 57P05", Lost, All, true),
        ("40003", Lost, All, true),
        ("25006", ReadOnly, This, true),
        ("25000 25001 25002 25003 25004 25005 25007 25008 25P01 25P02", Stale, This, true),
        ("26000", Stale, This, true),
        ("0A000", Stale, This, true),
        ("42P05", Stale, This, true),
        ("28000 28P01", Login, This, false),
        ("40000 40001 40002 40P01", Conflict, None, true),
        ("22000 22001 22003 22007 22008 22021 22P02", Row, None, false),
        ("23000 23502 23505 23514", Row, None, false),
        ("P0001", Row, None, false),
        ("53000 53100 53200 53300 53400", Busy, None, false),
        ("55000 55006 55P02 55P03 55P04", Busy, None, false),
        ("57000 57014", Busy, None, false),
        ("42501", Other, This, false),
        ("42601 42703 42804 42846 42883 42P01 42P02 42P07 42P08 42P18 42704", Schema, None, false),
        ("3F000", Schema, None, false),
        ("58000 58030 58P01 58P02", Other, This, false),
        ("F0000 F0001", Other, This, false),
        ("XX000 XX001 XX002", Other, This, false),
        ("HV000", Other, This, false),
        ("", Other, This, false),
    ];
    for (codes, kind, close, retry) in codes {
        for code in if codes.is_empty() { vec![""] } else { codes.split(' ').collect() } {
            assert_eq!(postgres(code, PgSeverity::Error), kind, "{code}");
            let rule = kind.rule();
            assert_eq!((rule.close, rule.retry), (close, retry), "{code}");
            // After these the server closes the connection, whatever the code. With 53300 there is none yet.
            for severity in [PgSeverity::Fatal, PgSeverity::Panic] {
                assert_eq!(postgres(code, severity).rule().close == None, code == "53300", "{code} {severity:?}");
            }
        }
    }
}

#[test]
fn only_a_failure_to_connect_opens_the_circuit() {
    use Kind::*;
    let all = [Lost, Stale, Login, Away, Slow, Row, Busy, Conflict, ReadOnly, Schema, Other];
    assert!(all.iter().all(|kind| kind.rule().opens_circuit == matches!(kind, Login | Away)));
    assert!(all.iter().all(|kind| Kind::COUNTED_AS.contains(&kind.rule().counted_as)));
}

#[test]
fn each_result_code_of_sqlite_has_the_consequence_that_heals() {
    for (codes, kind) in [
        ("1", Kind::Schema),
        ("5 261 517 6 262", Kind::Busy),
        ("8 264 520 776 1032", Kind::ReadOnly),
        ("10 266 522 778 1802 11 267 14 270 526 26", Kind::Stale),
        ("19 275 787 1299 1555 20", Kind::Row),
        ("13 7 21", Kind::Other),
    ] {
        for code in codes.split(' ') {
            assert_eq!(sqlite(code), kind, "{code}");
        }
    }
}

#[tokio::test]
async fn messages_name_what_is_missing_and_never_the_value_of_a_row() {
    let mut connection = SqliteConnection::connect("sqlite::memory:").await.unwrap();
    let mut failing = async |sql: &'static str| Error::from(raw_sql(sql).execute(&mut connection).await.unwrap_err());
    let schema = failing("select 1 from nowhere").await;
    assert_eq!(schema, Error::new(Kind::Schema, "no such table: nowhere (1)"));
    let row = failing("create table t (a check (a <> 'Zebedee')); insert into t values ('Zebedee')").await;
    assert_eq!(row, Error::new(Kind::Row, "275"));
}

#[test]
fn only_what_breaks_the_connection_is_a_lost_one() {
    assert_eq!(Error::from(sqlx::Error::Io(std::io::ErrorKind::BrokenPipe.into())).kind, Kind::Lost);
    assert_eq!(Error::from(sqlx::Error::RowNotFound).kind, Kind::Other);
}
