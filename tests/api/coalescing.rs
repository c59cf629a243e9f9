//! Requests that share a statement: each gets its own answer.

use rocket::futures::future::join_all;

use crate::support::{TestApp, birthday, name, on_both_stores, raw};

on_both_stores![
    saves_and_removals_of_one_name_at_once_are_all_answered_and_leave_one_row,
    every_client_sees_what_it_has_done,
    a_row_that_the_database_refuses_fails_alone,
];

async fn saves_and_removals_of_one_name_at_once_are_all_answered_and_leave_one_row(app: TestApp) {
    let request = async |number: usize| match number % 4 {
        0 => app.delete("/hello/John").await.status,
        1 => app.get("/hello/John").await.status,
        _ => app.put("/hello/John", birthday(&format!("19{:02}-11-28", number % 100))).await.status,
    };
    for (number, status) in join_all((0..200).map(request)).await.into_iter().enumerate() {
        let expected: &[u16] = [&[204, 404][..], &[200, 404], &[204], &[204]][number % 4];
        assert!(expected.contains(&status), "{number}: {status}");
    }
    join_all((0..100).map(async |number| app.save("John", &format!("19{number:02}-11-28")).await)).await;
    assert_eq!(app.database.number("select count(*) from birthdays"), 1);
    assert_eq!(app.message("John").await, "Hello, John! Your birthday is in 5 day(s)");
}

async fn every_client_sees_what_it_has_done(app: TestApp) {
    let client = async |number: usize| {
        let name = name("Name", number);
        let path = format!("/hello/{name}");
        assert_eq!(app.get(&path).await.status, 404);
        for round in 1..=4 {
            let days = (number + round) % 30 + 1;
            app.save(&name, &format!("1990-12-{days:02}")).await;
            assert_eq!(
                app.message(&name).await,
                format!("Hello, {name}! Your birthday is in {} day(s)", days + 7),
                "round {round}"
            );
        }
        assert_eq!(app.delete(&path).await.status, 204);
        assert_eq!(app.get(&path).await.status, 404);
    };
    join_all((0..100).map(client)).await;
}

async fn a_row_that_the_database_refuses_fails_alone(app: TestApp) {
    app.database.refuse("Zebedee");
    let address = app.address;
    let refused = (0..4).map(|_| tokio::task::spawn_blocking(move || raw::put(address, "Zebedee", "1990-11-28")));
    let saved = join_all((0..100).map(async |number| app.save(&name("Name", number), "1990-11-28").await));
    let (refused, _) = tokio::join!(join_all(refused), saved);
    for answer in refused.into_iter().map(Result::unwrap) {
        assert!(answer.starts_with("HTTP/1.1 500 ") && answer.contains("/docs#internal"), "{answer}");
        assert!(!answer.contains("Zebedee"), "{answer}");
    }
    assert_eq!(app.database.number("select count(*) from birthdays"), 100);
}
