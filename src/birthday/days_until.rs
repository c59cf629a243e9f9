use chrono::{Datelike, NaiveDate};
use serde::Deserialize;

use super::DateOfBirth;

/// When someone born on 29 February has their birthday in a common year. In leap years it is the 29th under both rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LeapDay {
    Mar1,
    Feb28,
}

/// How many whole calendar days remain from `today` to the next birthday of someone born on `born`: 0 to 366, 0 on the day itself.
pub fn days_until(born: DateOfBirth, today: NaiveDate, rule: LeapDay) -> u32 {
    let this_year = birthday_in(today.year(), born, rule);
    let next = if this_year < today { birthday_in(today.year() + 1, born, rule) } else { this_year };
    u32::try_from((next - today).num_days()).expect("the next birthday is not before today")
}

/// The birthday in `year`. Only 29 February is missing in some years; there `rule` decides.
pub(super) fn birthday_in(year: i32, born: DateOfBirth, rule: LeapDay) -> NaiveDate {
    let date = born.date();
    let substitute = match rule {
        LeapDay::Mar1 => (3, 1),
        LeapDay::Feb28 => (2, 28),
    };
    NaiveDate::from_ymd_opt(year, date.month(), date.day())
        .or_else(|| NaiveDate::from_ymd_opt(year, substitute.0, substitute.1))
        .expect("every year that chrono knows has a 1 March and a 28 February")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn days(born: &str, today: &str, rule: LeapDay) -> u32 {
        days_until(DateOfBirth::from_kept(day(born)), day(today), rule)
    }

    #[test]
    fn born_on_29_february_common_years_follow_the_rule_and_leap_years_keep_the_29th() {
        for (today, mar1, feb28) in [
            ("2025-02-27", 2, 1),
            ("2025-02-28", 1, 0),
            ("2025-03-01", 0, 364),
            ("2025-03-02", 364, 363),
            ("2028-02-27", 2, 2),
            ("2028-02-28", 1, 1),
            ("2028-02-29", 0, 0),
            ("2028-03-01", 365, 364),
            ("2100-02-28", 1, 0),
        ] {
            assert_eq!(days("2000-02-29", today, LeapDay::Mar1), mar1, "{today}, mar1");
            assert_eq!(days("2000-02-29", today, LeapDay::Feb28), feb28, "{today}, feb28");
        }
    }

    #[test]
    fn born_on_1_march_and_asked_on_29_february_it_is_tomorrow() {
        assert_eq!(days("1999-03-01", "2024-02-29", LeapDay::Mar1), 1);
    }

    #[test]
    fn the_year_turns_between_31_december_and_1_january() {
        assert_eq!(days("1990-12-31", "2026-01-01", LeapDay::Mar1), 364);
        assert_eq!(days("1990-12-31", "2028-01-01", LeapDay::Mar1), 365);
        assert_eq!(days("1990-01-01", "2026-12-31", LeapDay::Mar1), 1);
        assert_eq!(days("1990-01-01", "2026-01-02", LeapDay::Mar1), 364);
    }

    /// Whether `date` is a birthday, without using the code under test: same day and month, or the rule's substitute.
    fn is_birthday(born: (u32, u32), date: NaiveDate, rule: LeapDay) -> bool {
        let here = (date.month(), date.day());
        let substitute = if rule == LeapDay::Mar1 { (3, 1) } else { (2, 28) };
        here == born || (born == (2, 29) && !date.leap_year() && here == substitute)
    }

    /// Walks backwards through 401 years (a whole Gregorian cycle) for each of the 366 birthdays, counting days one by one.
    /// The rules differ only for 29 February, so the second one is tested on that day and its neighbours.
    #[test]
    fn every_day_of_a_400_year_cycle_agrees_with_counting_day_by_day_under_both_rules() {
        let (first, last) = (day("1999-12-31"), day("2401-12-31"));
        let leap_year: Vec<NaiveDate> = day("2000-01-01").iter_days().take(366).collect();
        let around_leap_day = leap_year[58..61].iter().map(|born| (*born, LeapDay::Feb28));
        for (born, rule) in leap_year.iter().map(|born| (*born, LeapDay::Mar1)).chain(around_leap_day) {
            let month_and_day = (born.month(), born.day());
            let mut until_next = None;
            let mut date = last;
            while date > first {
                until_next = if is_birthday(month_and_day, date, rule) { Some(0) } else { until_next.map(|n| n + 1) };
                if let Some(expected) = until_next {
                    let answer = days_until(DateOfBirth::from_kept(born), date, rule);
                    assert_eq!(answer, expected, "born {born}, today {date}, {rule:?}");
                }
                date = date.pred_opt().unwrap();
            }
        }
    }
}
