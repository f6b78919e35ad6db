//! An error with its causes, in one line.

use std::error::Error;

/// The error and what it comes from, each cause after a colon; a cause that only repeats what was said is left out. What to do, which
/// follows the first sentence of an error, stays at the end.
pub fn describe(error: &dyn Error) -> String {
    let said = error.to_string();
    let (wrong, advice) = said.split_once(". ").map_or((said.as_str(), None), |(wrong, rest)| (wrong, Some(rest)));
    let mut text = wrong.to_owned();
    let mut cause = error.source();
    while let Some(error) = cause {
        let cause_said = error.to_string();
        if !said.contains(&cause_said) && !text.contains(&cause_said) {
            text.push_str(": ");
            text.push_str(cause_said.trim_end_matches('.'));
        }
        cause = error.source();
    }
    if let Some(advice) = advice {
        text.push_str(". ");
        text.push_str(advice);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot open the table")]
    struct Outer(#[source] std::io::Error);

    #[test]
    fn causes_follow_the_error() {
        let error = Outer(std::io::Error::other("disk full"));
        assert_eq!(describe(&error), "cannot open the table: disk full");
    }

    #[derive(Debug, thiserror::Error)]
    #[error("cannot write the file. Make room")]
    struct Advising(#[source] std::io::Error);

    #[test]
    fn what_to_do_comes_after_the_causes() {
        let error = Advising(std::io::Error::other("disk full."));
        assert_eq!(describe(&error), "cannot write the file: disk full. Make room");
    }
}
