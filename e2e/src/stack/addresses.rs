//! The addresses of a stack's parts, as clients write them.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::Part;
use super::postgres::{POSTGRES_PASSWORD, POSTGRES_USER};

/// Where the parts of a stack listen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Addresses {
    /// The address that all parts listen on and advertise.
    pub bind: IpAddr,
    /// `PostgreSQL`.
    pub postgres: u16,
    /// Kafka without encryption or authentication.
    pub kafka: u16,
    /// Kafka with TLS and SCRAM-SHA-512.
    pub kafka_scram: u16,
    /// Kafka with TLS, for clients with a certificate.
    pub kafka_mtls: u16,
    /// Kafka's own controller.
    pub kafka_controller: u16,
    /// Kafka Connect's REST API.
    pub connect: u16,
    /// The schema registry's REST API.
    pub registry: u16,
    /// S3.
    pub s3: u16,
}

impl Addresses {
    /// `host:port`, with the brackets that an IPv6 address needs.
    pub(super) fn at(&self, port: u16) -> String {
        std::net::SocketAddr::new(self.bind, port).to_string()
    }

    /// A connection URL for this database, with the superuser's name and password. `postgres` always exists.
    pub fn postgres_url(&self, database: &str) -> String {
        format!("postgresql://{POSTGRES_USER}:{POSTGRES_PASSWORD}@{}/{database}", self.at(self.postgres))
    }

    /// Kafka without encryption or authentication, as `host:port`.
    pub fn bootstrap_servers(&self) -> String {
        self.at(self.kafka)
    }

    /// Kafka with TLS and SCRAM-SHA-512, as `host:port`.
    pub fn scram_bootstrap_servers(&self) -> String {
        self.at(self.kafka_scram)
    }

    /// Kafka with TLS, for clients with a certificate, as `host:port`.
    pub fn mtls_bootstrap_servers(&self) -> String {
        self.at(self.kafka_mtls)
    }

    /// Kafka Connect.
    pub fn connect_url(&self) -> String {
        format!("http://{}", self.at(self.connect))
    }

    /// The registry's Confluent API.
    pub fn registry_url(&self) -> String {
        format!("http://{}/apis/ccompat/v7", self.at(self.registry))
    }

    /// The registry's own API, which Apicurio's converter uses.
    pub fn registry_v2_url(&self) -> String {
        format!("http://{}/apis/registry/v2", self.at(self.registry))
    }

    /// S3, to be used with path-style addresses.
    pub fn s3_endpoint(&self) -> String {
        format!("http://{}", self.at(self.s3))
    }

    /// The port that clients of this part use first.
    pub fn port(&self, part: Part) -> u16 {
        match part {
            Part::Postgres => self.postgres,
            Part::Kafka => self.kafka,
            Part::Connect => self.connect,
            Part::Registry => self.registry,
            Part::S3 => self.s3,
        }
    }

    /// What a person uses to reach this part.
    pub fn of(&self, part: Part) -> String {
        match part {
            Part::Postgres => self.postgres_url("postgres"),
            Part::Kafka => self.bootstrap_servers(),
            Part::Connect => self.connect_url(),
            Part::Registry => self.registry_url(),
            Part::S3 => self.s3_endpoint(),
        }
    }
}
