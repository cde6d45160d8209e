//! The name of a circuit: part of file names and of hashes, so it has one spelling (KEY-2).

use std::fmt;

use super::KeyError;

/// The longest name, in bytes.
pub(super) const MAX_NAME_BYTES: usize = 32;

/// A circuit's name: 1 to 32 of `a-z`, `0-9` and `-`, beginning with a letter.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CircuitName(String);

impl CircuitName {
    /// Checks a name.
    ///
    /// # Errors
    /// `KeyError::Name` if it is none.
    pub fn new(text: &str) -> Result<Self, KeyError> {
        let spelled = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let good = text.len() <= MAX_NAME_BYTES
            && text
                .bytes()
                .next()
                .is_some_and(|first| first.is_ascii_lowercase())
            && text.bytes().all(spelled);
        if good {
            Ok(Self(text.to_owned()))
        } else {
            Err(KeyError::Name(text.chars().take(64).collect()))
        }
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name after its length in one byte, as it goes into hashes.
    pub(super) fn prefixed(&self) -> Vec<u8> {
        let length = u8::try_from(self.0.len()).expect("a name has at most 32 bytes");
        [&[length], self.0.as_bytes()].concat()
    }
}

impl fmt::Display for CircuitName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_leave_the_folder_or_have_two_spellings() {
        for text in [
            "",
            "-a",
            "1a",
            "A",
            "a/b",
            "..",
            "a_b",
            "é",
            &"a".repeat(33),
        ] {
            assert!(
                matches!(CircuitName::new(text), Err(KeyError::Name(_))),
                "{text}"
            );
        }
        for text in ["a", "pol", "zk-signature-32", &"a".repeat(32)] {
            assert_eq!(CircuitName::new(text).unwrap().as_str(), text);
        }
    }
}
