use chrono::{Datelike, NaiveDate};

/// A date of birth: a calendar date (proleptic Gregorian, ISO 8601), year 0001 or later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DateOfBirth(NaiveDate);

/// Why a text is not a [`DateOfBirth`]; the message tells the caller what to change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DateOfBirthError {
    #[error("dateOfBirth must have the form YYYY-MM-DD, ten characters, for example 1990-05-17")]
    Form,
    #[error("dateOfBirth is not a calendar date (years start at 0001)")]
    NotADate,
    #[error("dateOfBirth must be before today, which is {today} in the time zone that applies")]
    NotBeforeToday { today: NaiveDate },
}

impl DateOfBirth {
    /// Parses exactly `YYYY-MM-DD`, strictly before `today`.
    ///
    /// Hand-written, because chrono's own parser also accepts `2000-1-2`, signs and spaces.
    pub fn parse(text: &str, today: NaiveDate) -> Result<Self, DateOfBirthError> {
        let &[y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = text.as_bytes() else {
            return Err(DateOfBirthError::Form);
        };
        let (year, month, day) = (number(&[y1, y2, y3, y4])?, number(&[m1, m2])?, number(&[d1, d2])?);
        let date = NaiveDate::from_ymd_opt(year.cast_signed(), month, day).filter(|date| date.year() > 0);
        let date = date.ok_or(DateOfBirthError::NotADate)?;
        if date >= today {
            return Err(DateOfBirthError::NotBeforeToday { today });
        }
        Ok(Self(date))
    }

    /// A date read from a store. It was checked when it was saved, against that day's date.
    pub fn from_kept(date: NaiveDate) -> Self {
        Self(date)
    }

    pub fn date(self) -> NaiveDate {
        self.0
    }

    /// Whether the date is 29 February: most years then need the [`LeapDay`](super::LeapDay) rule.
    pub fn is_leap_day(self) -> bool {
        (self.0.month(), self.0.day()) == (2, 29)
    }
}

fn number(digits: &[u8]) -> Result<u32, DateOfBirthError> {
    digits.iter().try_fold(0, |number, digit| match digit {
        b'0'..=b'9' => Ok(number * 10 + u32::from(digit - b'0')),
        _ => Err(DateOfBirthError::Form),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn today_tomorrow_and_later_are_refused_and_yesterday_is_taken() {
        let today = day("2026-11-23");
        for text in ["2026-11-23", "2026-11-24", "2027-01-01", "9999-12-31"] {
            assert_eq!(DateOfBirth::parse(text, today), Err(DateOfBirthError::NotBeforeToday { today }), "{text}");
        }
        assert_eq!(DateOfBirth::parse("2026-11-22", today).unwrap().date(), day("2026-11-22"));
    }

    #[test]
    fn texts_that_are_not_exactly_ten_bytes_of_a_date_are_refused() {
        let today = day("2026-11-23");
        for text in [
            "", "2000", "2000-2-3", "2000-02-3", "20000-02-3", "2000/02/03", "2000-02-03T00:00:00Z", "2000-02-03 ",
            " 2000-02-03", "+2000-02-3", "-001-02-03", "2000- 2-03", "2000-+2-03", "２000-02-03", "2000-02-0x", "03-02-2000",
            "2000 - 02 - 03",
        ] {
            assert_eq!(DateOfBirth::parse(text, today), Err(DateOfBirthError::Form), "{text:?}");
        }
        for text in
            ["2000-02-30", "2001-02-29", "1900-02-29", "0000-01-01", "2000-13-01", "2000-00-10", "2000-01-00", "2000-04-31"]
        {
            assert_eq!(DateOfBirth::parse(text, today), Err(DateOfBirthError::NotADate), "{text}");
        }
    }

    #[test]
    fn the_first_day_of_year_one_and_leap_days_are_dates() {
        let today = day("2026-11-23");
        for text in ["0001-01-01", "2000-02-29", "1600-02-29", "2024-02-29"] {
            assert_eq!(DateOfBirth::parse(text, today).unwrap().date().to_string(), text);
        }
    }

    proptest! {
        #[test]
        fn whatever_is_accepted_prints_back_to_the_same_ten_bytes(
            text in "[0-9]{4}-[0-9]{2}-[0-9]{2}|.{0,12}|[-+ 0-9]{10}|[0-2][0-9]{3}-(0[1-9]|1[0-2])-[0-3][0-9]"
        ) {
            if let Ok(date) = DateOfBirth::parse(&text, NaiveDate::MAX) {
                prop_assert_eq!(date.date().to_string(), text);
            }
        }

        #[test]
        fn every_date_of_the_years_1_to_9999_is_accepted(days in 1..=3_652_059) {
            let date = NaiveDate::from_num_days_from_ce_opt(days).unwrap();
            prop_assert_eq!(DateOfBirth::parse(&date.to_string(), NaiveDate::MAX), Ok(DateOfBirth(date)));
        }
    }
}
