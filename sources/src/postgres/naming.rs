//! How events name columns.

/// How events name columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Naming {
    /// As the catalogue does.
    AsIs,
    /// As Avro allows it: Debezium's `field.name.adjustment.mode=avro`.
    Avro,
}

impl Naming {
    /// The name that a column has in events.
    pub fn of(self, name: &str) -> String {
        let is_allowed = |(at, c): (usize, char)| c == '_' || c.is_ascii_alphabetic() || (at > 0 && c.is_ascii_digit());
        match self {
            Self::AsIs => name.to_owned(),
            Self::Avro => name.chars().enumerate().map(|(at, c)| if is_allowed((at, c)) { c } else { '_' }).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_avro_does_not_allow_in_a_name_is_an_underscore() {
        let names = ["id", "Id-1", "1st", "straße", "a.b", "_x9"].map(|name| Naming::Avro.of(name));
        assert_eq!(names, ["id", "Id_1", "_st", "stra_e", "a_b", "_x9"]);
        assert_eq!(Naming::AsIs.of("Id-1"), "Id-1");
    }
}
