//! Names in SQL, and in the advice that quotes it.

/// A quoted identifier: whatever the name holds, it is one name.
pub fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// `schema.table`, as the resource writes it, as quoted identifiers.
pub(super) fn table(name: &str) -> String {
    name.split('.').map(identifier).collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_leave_its_quotes() {
        assert_eq!(identifier(r#"a"; DROP TABLE users; --"#), r#""a""; DROP TABLE users; --""#);
        assert_eq!(table("public.Weird Table"), r#""public"."Weird Table""#);
    }
}
