//! Which dates of birth are accepted. (The unit tests in src/birthday cover how many days remain.)

use crate::support::{Database, Store, TestApp, birthday, on_both_stores};

on_both_stores![
    dates_from_the_year_1_until_yesterday_are_kept, other_dates_are_refused_with_todays, one_reading_of_the_clock_decides_today,
];

async fn dates_from_the_year_1_until_yesterday_are_kept(app: TestApp) {
    for (born, days) in [("0001-01-01", 39), ("1600-02-29", 98), ("2026-11-22", 364)] {
        app.save("John", born).await;
        assert_eq!(app.message("John").await, format!("Hello, John! Your birthday is in {days} day(s)"), "{born}");
    }
}

async fn other_dates_are_refused_with_todays(app: TestApp) {
    for born in ["2026-11-23", "2026-11-24", "9999-12-31"] {
        let problem = app.put("/hello/John", birthday(born)).await.expect_problem(400, "invalid-date-of-birth");
        assert!(problem["detail"].as_str().unwrap().contains("2026-11-23"), "it says which day is today: {problem}");
    }
    for born in ["", "2000-2-3", "2001-02-29", "0000-01-01", "2000-01-02T00:00:00Z", "２０００-01-02", "2000-01-0\u{0}"] {
        app.put("/hello/John", birthday(born)).await.expect_problem(400, "invalid-date-of-birth");
    }
    app.get("/hello/John").await.expect_problem(404, "unknown-username");
    // The next day, this date is in the past.
    app.on("2026-11-24");
    app.save("John", "2026-11-23").await;
}

async fn one_reading_of_the_clock_decides_today(app: TestApp) {
    app.save("John", "1990-11-24").await;
    for path in ["/hello/John", "/hello/John?tz=Pacific/Kiritimati", "/hello/John/birthday.ics"] {
        let before = app.clock_readings();
        assert_eq!(app.get(path).await.status, 200);
        assert_eq!(app.clock_readings() - before, 1, "{path}");
    }
    let before = app.clock_readings();
    app.save("John", "1990-11-24").await;
    assert_eq!(app.clock_readings() - before, 1);
}

#[tokio::test]
async fn the_setting_decides_the_day_of_those_born_on_29_february() {
    for (rule, today, date) in [("mar1", "2026-03-01", "0301"), ("feb28", "2026-02-28", "0228")] {
        let app = TestApp::with(Database::new(Store::Sqlite), &format!("[default.birthday]\nleap_day = {rule:?}"));
        app.save("Leap", "2000-02-29").await;
        let calendar = app.get("/hello/Leap/birthday.ics").await.body;
        assert!(calendar.contains(&format!("DTSTART;VALUE=DATE:2026{date}\r\n")), "{rule}: {calendar}");
        app.on(today);
        assert_eq!(app.message("Leap").await, "Hello, Leap! Happy birthday!");
    }
}
