//! `PUT`, `GET` and `DELETE /hello/<username>`.

use crate::support::{TestApp, on_both_stores};

on_both_stores![
    a_saved_birthday_is_counted_down_to, deleting_removes_the_birthday_and_deleting_again_finds_none,
    case_is_kept_and_significant,
];

async fn a_saved_birthday_is_counted_down_to(app: TestApp) {
    let saved = app.put("/hello/John", r#"{"dateOfBirth":"1990-11-28"}"#).await;
    assert_eq!((saved.status, saved.body.as_str(), saved.header("content-length")), (204, "", None));

    let greeted = app.get("/hello/John").await;
    assert_eq!((greeted.status, greeted.header("content-type")), (200, Some("application/json")));
    assert_eq!(greeted.body, r#"{"message":"Hello, John! Your birthday is in 5 day(s)"}"#);

    app.on("2026-11-28");
    assert_eq!(app.get("/hello/John").await.body, r#"{"message":"Hello, John! Happy birthday!"}"#);
}

async fn deleting_removes_the_birthday_and_deleting_again_finds_none(app: TestApp) {
    app.save("John", "1990-11-28").await;
    app.save("Mary", "1990-11-28").await;
    let deleted = app.delete("/hello/John").await;
    assert_eq!((deleted.status, deleted.header("birthday-today")), (204, None));
    for path in ["/hello/John", "/hello/John/birthday.ics"] {
        let problem = app.get(path).await.expect_problem(404, "unknown-username");
        assert!(!problem.to_string().contains("John"), "{problem}");
    }
    app.delete("/hello/John").await.expect_problem(404, "unknown-username");
    assert_eq!(app.message("Mary").await, "Hello, Mary! Your birthday is in 5 day(s)");
}

async fn case_is_kept_and_significant(app: TestApp) {
    app.save("john", "1990-11-24").await;
    app.save("JOHN", "1990-11-25").await;
    assert_eq!(app.message("john").await, "Hello, john! Your birthday is in 1 day(s)");
    assert_eq!(app.message("JOHN").await, "Hello, JOHN! Your birthday is in 2 day(s)");
    app.get("/hello/John").await.expect_problem(404, "unknown-username");
}
