use std::str::FromStr;

/// The name that a birthday is saved under: 1 to 64 ASCII letters, case-preserving and case-sensitive.
///
/// Only parsing creates one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Username(Box<str>);

/// Why a text is not a [`Username`]; the message tells the caller what to change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UsernameError {
    #[error("the username is empty; it must be 1 to 64 ASCII letters (A-Z, a-z)")]
    Empty,
    #[error("the username is longer than 64 letters")]
    TooLong,
    #[error("the username may contain only ASCII letters (A-Z, a-z)")]
    NotALetter,
}

impl Username {
    /// The longest name, in letters.
    pub const MAX: usize = 64;

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Username {
    type Err = UsernameError;

    fn from_str(text: &str) -> Result<Self, UsernameError> {
        if text.is_empty() {
            Err(UsernameError::Empty)
        } else if !text.bytes().all(|byte| byte.is_ascii_alphabetic()) {
            Err(UsernameError::NotALetter)
        } else if text.len() > Self::MAX {
            Err(UsernameError::TooLong)
        } else {
            Ok(Self(text.into()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_to_sixty_four_ascii_letters_are_a_username_and_case_counts() {
        for name in ["J", "John", "livez", "readyz", "metrics", "docs", &"x".repeat(64)] {
            assert_eq!(name.parse::<Username>().as_ref().map(Username::as_str), Ok(name));
        }
        assert_ne!("john".parse::<Username>(), "John".parse::<Username>());
    }

    #[test]
    fn anything_else_is_refused_with_the_reason() {
        assert_eq!("".parse::<Username>(), Err(UsernameError::Empty));
        assert_eq!("x".repeat(65).parse::<Username>(), Err(UsernameError::TooLong));
        for name in ["a1", "é", "a\n", "\0", "a b", " a", "a ", "a-b", "ａ", "../x"] {
            assert_eq!(name.parse::<Username>(), Err(UsernameError::NotALetter), "{name:?}");
        }
    }

    proptest! {
        #[test]
        fn a_text_is_accepted_exactly_when_it_matches_the_rule(text in ".{0,70}|[A-Za-z]{0,70}") {
            let legal = (1..=64).contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphabetic());
            prop_assert_eq!(text.parse::<Username>().is_ok(), legal);
        }

        #[test]
        fn an_accepted_name_prints_back_unchanged(text in "[A-Za-z]{1,64}") {
            let name: Username = text.parse().unwrap();
            prop_assert_eq!(name.as_str(), text);
        }
    }
}
