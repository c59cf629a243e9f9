//! Requests that share a statement: each gets its own answer.

use rocket::futures::future::join_all;

use crate::support::{TestApp, birthday, on_both_stores, raw};

on_both_stores![
    parallel_saves_of_one_new_name_all_succeed_and_leave_one_row, parallel_requests_for_many_names_each_get_their_own_answer,
    after_its_204_a_client_sees_the_new_date, a_row_that_the_database_refuses_fails_alone,
    saves_and_removals_side_by_side_are_all_answered,
];

/// A name of letters only for each number.
fn name(number: usize) -> String {
    let letters = number.to_string().bytes().map(|digit| char::from(digit - b'0' + b'a')).collect::<String>();
    format!("Name{letters}")
}

async fn parallel_saves_of_one_new_name_all_succeed_and_leave_one_row(app: TestApp) {
    let dates: Vec<String> = (0..200).map(|number| format!("19{:02}-11-28", number % 100)).collect();
    join_all(dates.iter().map(|born| app.save("John", born))).await;
    assert_eq!(app.database.number("select count(*) from birthdays"), 1);
    assert_eq!(app.message("John").await, "Hello, John! Your birthday is in 5 day(s)");
}

async fn parallel_requests_for_many_names_each_get_their_own_answer(app: TestApp) {
    let people: Vec<(String, String, usize)> =
        (0..150).map(|number| (name(number), format!("1990-12-{:02}", number % 31 + 1), number % 31 + 8)).collect();
    join_all(people.iter().map(|(name, born, _)| app.save(name, born))).await;
    let strangers: Vec<String> = (1000..1050).map(name).collect();
    let known = join_all(people.iter().map(|(name, ..)| app.message(name)));
    let unknown = join_all(strangers.iter().map(async |name| app.get(&format!("/hello/{name}")).await.status));
    let (known, unknown) = tokio::join!(known, unknown);
    for ((name, _, days), message) in people.iter().zip(known) {
        assert_eq!(message, format!("Hello, {name}! Your birthday is in {days} day(s)"));
    }
    assert!(unknown.into_iter().all(|status| status == 404));
}

async fn after_its_204_a_client_sees_the_new_date(app: TestApp) {
    let client = async |number: usize| {
        let name = name(number);
        for round in 1..=10 {
            let days = (number + round) % 30 + 1;
            app.save(&name, &format!("1990-12-{days:02}")).await;
            let message = app.message(&name).await;
            assert_eq!(message, format!("Hello, {name}! Your birthday is in {} day(s)", days + 7), "round {round}");
        }
        assert_eq!(app.delete(&format!("/hello/{name}")).await.status, 204);
        assert_eq!(app.get(&format!("/hello/{name}")).await.status, 404);
    };
    join_all((0..20).map(client)).await;
}

async fn a_row_that_the_database_refuses_fails_alone(app: TestApp) {
    // A rule that the service does not know.
    app.database.run(&match app.database.url().starts_with("postgres") {
        true => "alter table birthdays add check (username <> 'Zebedee')".to_owned(),
        false => {
            "create trigger refuse before insert on birthdays when new.username = 'Zebedee' begin select raise(abort, 'no'); end"
                .to_owned()
        }
    });
    let body = birthday("1990-11-28");
    let request = format!(
        "PUT /hello/Zebedee HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    let address = app.address;
    let refused: Vec<_> = (0..4)
        .map(|_| {
            tokio::task::spawn_blocking({
                let request = request.clone();
                move || raw::exchange(address, &request)
            })
        })
        .collect();
    join_all((0..100).map(async |number| app.save(&name(number), "1990-11-28").await)).await;
    for answer in join_all(refused).await {
        let answer = answer.unwrap();
        assert!(answer.starts_with("HTTP/1.1 500 ") && answer.contains("/docs#internal"), "{answer}");
        assert!(!answer.contains("Zebedee"), "{answer}");
    }
    assert_eq!(app.database.number("select count(*) from birthdays"), 100);
}

async fn saves_and_removals_side_by_side_are_all_answered(app: TestApp) {
    let request = async |number: usize| match number % 3 {
        0 => app.delete("/hello/John").await.status,
        1 => app.get("/hello/John").await.status,
        _ => app.put("/hello/John", birthday("1990-11-28")).await.status,
    };
    for (number, status) in join_all((0..150).map(request)).await.into_iter().enumerate() {
        let expected: &[u16] = [&[204, 404][..], &[200, 404], &[204]][number % 3];
        assert!(expected.contains(&status), "{number}: {status}");
    }
}
