//! Rules of the destination, and of the replicator that writes to it.

use super::{Violation, names};
use crate::{Destination, Duration, Replicator, S3, Scheme};

pub(super) fn destination(destination: &Destination, found: &mut Vec<Violation>) {
    let uri = &destination.uri;
    if let Some((scheme, _)) = uri.split_once("://").filter(|_| destination.scheme().is_none()) {
        let message = format!("this version does not write to {scheme}://");
        found.push(Violation::new("spec.destination.uri", message, "use s3://bucket/prefix or file:///folder"));
    } else if !is_location(destination) {
        let message = format!("\"{uri}\" is not the address of a folder");
        found.push(Violation::new("spec.destination.uri", message, "write s3://bucket/prefix or file:///folder"));
    }
    if let Some(s3) = &destination.s3 {
        if destination.scheme() != Some(Scheme::S3) {
            let fix = "remove spec.destination.s3, or write s3://bucket/prefix as spec.destination.uri";
            found.push(Violation::new("spec.destination.s3", "the destination is not on S3", fix));
        }
        bucket_access(s3, found);
    }
}

fn is_location(destination: &Destination) -> bool {
    let rest = destination.uri.split_once("://").map_or("", |(_, rest)| rest);
    destination.uri.chars().count() <= 1024
        && match destination.scheme() {
            Some(Scheme::S3) => is_bucket(rest.split_once('/').map_or(rest, |(bucket, _)| bucket)),
            Some(Scheme::File) => rest.starts_with('/') && rest.len() > 1,
            None => false,
        }
}

fn is_bucket(name: &str) -> bool {
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    name.len() >= 2
        && edge(name.chars().next())
        && edge(name.chars().next_back())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-".contains(c))
}

fn bucket_access(s3: &S3, found: &mut Vec<Violation>) {
    let path = "spec.destination.s3";
    if let Some(endpoint) = &s3.endpoint {
        let host = endpoint.split_once("://").map_or("", |(_, rest)| rest.strip_suffix('/').unwrap_or(rest));
        if !names::is_http(endpoint) || host.contains('/') || endpoint.chars().count() > 1024 {
            let message = format!("\"{endpoint}\" is not the address of a service");
            found.push(Violation::new(
                format!("{path}.endpoint"),
                message,
                "write http://host:port or https://host:port",
            ));
        } else if endpoint.starts_with("http://") && !s3.allow_http {
            let fix = format!("use https://, or set {path}.allowHttp: true");
            found.push(Violation::new(format!("{path}.endpoint"), "the endpoint is not encrypted", fix));
        }
    }
    if let Some(region) = &s3.region {
        names::length(&format!("{path}.region"), region, 1..=63, found);
    }
    if let Some(secret) = &s3.credentials {
        names::secret(&format!("{path}.credentials"), secret, found);
    }
}

pub(super) fn replicator(replicator: &Replicator, found: &mut Vec<Violation>) {
    let path = "spec.replicator";
    names::range(&format!("{path}.replicas"), i64::from(replicator.replicas), 1..=64, found);
    names::port(&format!("{path}.httpPort"), replicator.http_port, found);
    let interval = replicator.commit_interval;
    if !(Duration::milliseconds(100)..=Duration::seconds(3600)).contains(&interval) {
        let message = format!("{interval} is out of range");
        let fix = "use a time between 100ms and 1h, such as 5s";
        found.push(Violation::new(format!("{path}.commitInterval"), message, fix));
    }
    let connections = i64::from(replicator.copy.connections);
    names::range(&format!("{path}.copy.connections"), connections, 0..=16, found);
    sizes(path, replicator, found);
    if let Some(image) = &replicator.image {
        names::length(&format!("{path}.image"), image, 1..=1024, found);
    }
}

fn sizes(path: &str, replicator: &Replicator, found: &mut Vec<Violation>) {
    let memory = &replicator.memory;
    if memory.bytes() < 16 << 20 {
        let message = format!("{memory} is too little");
        found.push(Violation::new(format!("{path}.memory"), message, "use at least 16Mi; the default is 256Mi"));
    }
    let storage = &replicator.index.storage;
    if storage.bytes() < 64 << 20 {
        let message = format!("{storage} is too little");
        found.push(Violation::new(format!("{path}.index.storage"), message, "use at least 64Mi; the default is 10Gi"));
    }
    if let Some(rate) = replicator.copy.max_bytes_per_second.as_ref().filter(|rate| rate.bytes() < 64 << 10) {
        let fix = "use at least 64Ki, such as 20Mi, or leave it out to read as fast as it goes";
        found.push(Violation::new(format!("{path}.copy.maxBytesPerSecond"), format!("{rate} is too little"), fix));
    }
    let Some(size) = &replicator.commit_size else { return };
    if size.bytes() < 1 << 20 {
        let message = format!("{size} is too little");
        found.push(Violation::new(
            format!("{path}.commitSize"),
            message,
            "use at least 1Mi; the default is half of memory",
        ));
    } else if size.bytes() > memory.bytes() {
        let message = format!("{size} is more than {path}.memory, {memory}, so no commit would ever be that large");
        found.push(Violation::new(format!("{path}.commitSize"), message, "make it smaller, or memory larger"));
    }
}
