//! The resource of the demo: `examples/shop.yaml`, with the addresses of the stack that it runs against.

use std::path::{Path, PathBuf};

use anyhow::Context;
use tributary_crds::{CdcReplication, document};
use tributary_operator::build::connector::ConnectorSecrets;

use super::EventFormat;
use crate::compare::TablePair;
use crate::oracle::TableLocation;
use crate::stack::{Addresses, POSTGRES_PASSWORD, POSTGRES_USER, S3_ACCESS_KEY, S3_SECRET_KEY};

const EXAMPLE: &str = include_str!("../../../examples/shop.yaml");

/// The document that the replicator runs, and what it says.
pub(super) struct ShopResource {
    text: String,
    resource: CdcReplication,
}

impl ShopResource {
    /// The example with these addresses in place of its own.
    pub(super) fn new(addresses: &Addresses, http_port: u16, format: EventFormat) -> anyhow::Result<Self> {
        let mut text = EXAMPLE.to_owned();
        for (example, ours) in replacements(addresses, http_port, format) {
            anyhow::ensure!(text.matches(example).count() == 1, "examples/shop.yaml must say `{example}` exactly once");
            text = text.replace(example, &ours);
        }
        let resource = document::parse(&text).context("examples/shop.yaml with the addresses of the stack")?;
        Ok(Self { text, resource })
    }

    pub(super) fn resource(&self) -> &CdcReplication {
        &self.resource
    }

    /// The name of the connector.
    pub(super) fn name(&self) -> &str {
        self.resource.metadata.name.as_deref().unwrap_or("shop")
    }

    /// The source tables, as `schema.table`.
    pub(super) fn tables(&self) -> Vec<String> {
        self.resource.spec.tables.iter().map(|table| table.name.clone()).collect()
    }

    /// Each source table with its Delta table.
    pub(super) fn pairs(&self, addresses: &Addresses) -> Vec<TablePair> {
        let destination = &self.resource.spec.destination.uri;
        let lake = TableLocation::s3(destination, &addresses.s3_endpoint(), S3_ACCESS_KEY, S3_SECRET_KEY);
        let tables = self.resource.spec.tables.iter();
        tables.map(|table| TablePair::new(&table.name, lake.join(&table.target()))).collect()
    }

    /// The source database.
    pub(super) fn database(&self) -> &str {
        self.resource.spec.source.postgres.as_ref().map_or("shop", |postgres| &postgres.database)
    }

    /// The bucket of the destination.
    pub(super) fn bucket(&self) -> &str {
        let path = self.resource.spec.destination.uri.trim_start_matches("s3://");
        path.split_once('/').map_or(path, |(bucket, _)| bucket)
    }

    /// What the connector needs of the Secrets.
    pub(super) fn connector_secrets() -> ConnectorSecrets {
        ConnectorSecrets { username: POSTGRES_USER.into(), password: POSTGRES_PASSWORD.into(), registry: None }
    }

    /// Writes `shop.yaml`, and beside it the Secrets that it names, one file per key. Returns the Secrets' folder.
    pub(super) fn write(&self, directory: &Path) -> anyhow::Result<PathBuf> {
        write(&directory.join("shop.yaml"), &self.text)?;
        let secrets = directory.join("secrets");
        let spec = &self.resource.spec;
        let database = spec.source.postgres.as_ref().map(|postgres| &postgres.credentials.secret_name);
        let lake = spec.destination.s3.as_ref().and_then(|s3| s3.credentials.as_ref()).map(|lake| &lake.secret_name);
        let keys = [
            (database, "username", POSTGRES_USER),
            (database, "password", POSTGRES_PASSWORD),
            (lake, "AWS_ACCESS_KEY_ID", S3_ACCESS_KEY),
            (lake, "AWS_SECRET_ACCESS_KEY", S3_SECRET_KEY),
        ];
        for (name, key, value) in keys {
            let name = name.context("examples/shop.yaml names Secrets for the database and for S3")?;
            write(&secrets.join(name).join(key), value)?;
        }
        Ok(secrets)
    }
}

/// What the example says, and what the demo says in its place.
fn replacements(addresses: &Addresses, http_port: u16, format: EventFormat) -> Vec<(&'static str, String)> {
    let mut all = vec![
        ("host: postgres.example.com", format!("host: {}", addresses.bind)),
        ("port: 5432", format!("port: {}", addresses.postgres)),
        ("kafka.example.com:9092", addresses.bootstrap_servers()),
        ("http://s3.example.com:9000", addresses.s3_endpoint()),
        ("httpPort: 8080", format!("httpPort: {http_port}")),
    ];
    if format == EventFormat::Avro {
        all.push(("json: {}", format!("avro: {{registryUrl: '{}'}}", addresses.registry_url())));
    }
    all
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let folder = path.parent().unwrap_or(path);
    std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(path, text))
        .with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    fn addresses() -> Addresses {
        Addresses {
            bind: IpAddr::V4(Ipv4Addr::LOCALHOST),
            postgres: 1,
            kafka: 2,
            kafka_scram: 3,
            kafka_mtls: 4,
            kafka_controller: 5,
            connect: 6,
            registry: 7,
            s3: 8,
        }
    }

    #[test]
    fn the_example_itself_is_a_resource_without_mistakes() {
        document::parse(EXAMPLE).unwrap();
    }

    #[test]
    fn the_demo_changes_nothing_of_the_example_but_addresses() {
        let ours = ShopResource::new(&addresses(), 9, EventFormat::Json).unwrap();
        let changed: Vec<_> = EXAMPLE.lines().zip(ours.text.lines()).filter(|(a, b)| a != b).map(|(_, b)| b).collect();
        let expected = [
            "      host: 127.0.0.1",
            "      port: 1",
            "      bootstrapServers: 127.0.0.1:2",
            "      endpoint: http://127.0.0.1:8",
            "    httpPort: 9",
        ];
        assert_eq!(changed, expected);
        assert_eq!(EXAMPLE.lines().count(), ours.text.lines().count());
        assert_eq!(ours.tables(), ["public.users", "public.products", "public.orders"]);
        assert_eq!(ours.pairs(&addresses())[2].target().uri(), "s3://lake/shop/sales/orders");
        assert_eq!(ours.bucket(), "lake");
    }

    #[test]
    fn with_avro_the_resource_names_the_registry() {
        let ours = ShopResource::new(&addresses(), 9, EventFormat::Avro).unwrap();
        let avro = ours.resource().spec.format.avro.as_ref().unwrap();
        assert_eq!(avro.registry_url, "http://127.0.0.1:7/apis/ccompat/v7");
    }

    #[test]
    fn the_secrets_are_files_that_the_resource_names() {
        let directory = tempfile::tempdir().unwrap();
        let secrets = ShopResource::new(&addresses(), 9, EventFormat::Json).unwrap().write(directory.path()).unwrap();
        assert_eq!(std::fs::read_to_string(secrets.join("shop-db/username")).unwrap(), POSTGRES_USER);
        assert_eq!(std::fs::read_to_string(secrets.join("lake/AWS_SECRET_ACCESS_KEY")).unwrap(), S3_SECRET_KEY);
        assert!(directory.path().join("shop.yaml").exists());
    }
}
