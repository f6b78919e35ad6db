//! Rules of single values: lengths, ports, addresses, references.

use std::ops::RangeInclusive;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::Violation;
use crate::{CaSecret, SecretRef};

/// Longest `metadata.name`: topics, slots and pods get longer names that are made from it.
const MAX_NAME: usize = 40;

pub(super) fn metadata(metadata: &ObjectMeta, found: &mut Vec<Violation>) {
    let rule = "lower-case letters, digits and '-', beginning and ending with a letter or digit";
    match metadata.name.as_deref() {
        None => found.push(Violation::new("metadata.name", "the name is missing", "give the resource a name")),
        Some(name) if !is_dns_label(name) || name.len() > MAX_NAME => found.push(Violation::new(
            "metadata.name",
            format!("\"{name}\" is not a name"),
            format!("use at most {MAX_NAME} {rule}"),
        )),
        Some(_) => {}
    }
    if let Some(namespace) = metadata.namespace.as_deref().filter(|name| !is_dns_label(name) || name.len() > 63) {
        let message = format!("\"{namespace}\" is not a namespace");
        found.push(Violation::new("metadata.namespace", message, format!("use at most 63 {rule}")));
    }
}

fn is_dns_label(name: &str) -> bool {
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    edge(name.chars().next())
        && edge(name.chars().next_back())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

pub(super) fn length(path: &str, value: &str, allowed: RangeInclusive<usize>, found: &mut Vec<Violation>) {
    let characters = value.chars().count();
    if characters == 0 && !allowed.contains(&0) {
        found.push(Violation::new(path, "the text is empty", "give a value, or remove the field if it is optional"));
    } else if !allowed.contains(&characters) {
        let (from, to) = allowed.into_inner();
        let message = format!("the text has {characters} characters");
        found.push(Violation::new(path, message, format!("use between {from} and {to} characters")));
    }
}

/// A name that the database takes without quotes: small letters, digits and `others`.
pub(super) fn in_database(path: &str, name: &str, others: &str, found: &mut Vec<Violation>) {
    length(path, name, 1..=63, found);
    if !name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || others.contains(c)) {
        let allowed = others.chars().map(|c| format!("'{c}'")).collect::<Vec<_>>().join(", ");
        let fix = format!("use lower-case letters, digits and {allowed}");
        found.push(Violation::new(path, format!("\"{name}\" is not a name that the database takes as it is"), fix));
    }
}

pub(super) fn range(path: &str, value: i64, allowed: RangeInclusive<i64>, found: &mut Vec<Violation>) {
    if !allowed.contains(&value) {
        let (from, to) = allowed.into_inner();
        let message = format!("{value} is out of range");
        found.push(Violation::new(path, message, format!("use a number from {from} to {to}")));
    }
}

pub(super) fn port(path: &str, port: u16, found: &mut Vec<Violation>) {
    range(path, i64::from(port), 1..=65_535, found);
}

pub(super) fn secret(path: &str, secret: &SecretRef, found: &mut Vec<Violation>) {
    length(&format!("{path}.secretName"), &secret.secret_name, 1..=253, found);
}

pub(super) fn ca_secret(path: &str, secret: &CaSecret, found: &mut Vec<Violation>) {
    length(&format!("{path}.secretName"), &secret.secret_name, 1..=253, found);
    length(&format!("{path}.key"), &secret.key, 1..=253, found);
}

/// Whether a text is `http://…` or `https://…` with a host, and without spaces and credentials.
pub(super) fn is_http(text: &str) -> bool {
    let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/') && !rest.contains([' ', '@']))
}
