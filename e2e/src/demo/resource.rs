//! The resource of the demo: an example of the repository, with the addresses of the stack that it runs against.

use std::path::{Path, PathBuf};

use anyhow::Context;
use tributary_crds::{CdcReplication, document};
use tributary_operator::build::connector::ConnectorSecrets;
use tributary_sources::postgres::{Credentials, connect, publish};

use super::EventFormat;
use crate::compare::TablePair;
use crate::oracle::TableLocation;
use crate::stack::{Addresses, POSTGRES_PASSWORD, POSTGRES_USER, S3_ACCESS_KEY, S3_SECRET_KEY};

/// Where the demo takes place, and so which example it shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// This machine: the replicator serves HTTP on this port.
    Machine(u16),
    /// A Kubernetes.
    Kubernetes,
}

impl Place {
    const fn example(self) -> (&'static str, &'static str) {
        match self {
            Self::Machine(_) => ("examples/shop.yaml", include_str!("../../../examples/shop.yaml")),
            Self::Kubernetes => ("examples/kubernetes.yaml", include_str!("../../../examples/kubernetes.yaml")),
        }
    }
}

/// The document that the replicator runs, and what it says.
pub(super) struct ShopResource {
    text: String,
    resource: CdcReplication,
}

impl ShopResource {
    /// The example with these addresses in place of its own.
    pub(super) fn new(addresses: &Addresses, place: Place, format: EventFormat) -> anyhow::Result<Self> {
        let (file, example) = place.example();
        let mut text = example.to_owned();
        for (example, ours) in replacements(addresses, place, format) {
            anyhow::ensure!(text.matches(example).count() == 1, "{file} must say `{example}` exactly once");
            text = text.replace(example, &ours);
        }
        let resource = document::parse(&text).with_context(|| format!("{file} with the addresses of the stack"))?;
        Ok(Self { text, resource })
    }

    /// The document, as a user would write it.
    pub(super) fn text(&self) -> &str {
        &self.text
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

    /// Publishes the tables, as the operator does.
    pub(super) async fn publish(&self) -> anyhow::Result<()> {
        let postgres = self.resource.spec.source.postgres.as_ref().context("the resource names no database")?;
        let credentials = Credentials { username: POSTGRES_USER.into(), password: POSTGRES_PASSWORD.into() };
        publish(&connect(postgres, &credentials).await?, &self.resource).await?;
        Ok(())
    }

    /// Writes `shop.yaml`, and beside it the Secrets that it names, one file per key. Returns the Secrets' folder.
    pub(super) fn write(&self, directory: &Path) -> anyhow::Result<PathBuf> {
        write(&directory.join("shop.yaml"), &self.text)?;
        let secrets = directory.join("secrets");
        for (name, key, value) in self.secrets()? {
            write(&secrets.join(name).join(key), value)?;
        }
        Ok(secrets)
    }

    /// The Secrets that the resource names: name, key, value.
    pub(super) fn secrets(&self) -> anyhow::Result<[(&str, &'static str, &'static str); 4]> {
        let spec = &self.resource.spec;
        let database = spec.source.postgres.as_ref().map(|postgres| &postgres.credentials.secret_name);
        let lake = spec.destination.s3.as_ref().and_then(|s3| s3.credentials.as_ref()).map(|lake| &lake.secret_name);
        let no_secret = "the example names Secrets for the database and for S3";
        let (database, lake) = (database.context(no_secret)?, lake.context(no_secret)?);
        Ok([
            (database, "username", POSTGRES_USER),
            (database, "password", POSTGRES_PASSWORD),
            (lake, "AWS_ACCESS_KEY_ID", S3_ACCESS_KEY),
            (lake, "AWS_SECRET_ACCESS_KEY", S3_SECRET_KEY),
        ])
    }
}

/// What the example says, and what the demo says in its place.
fn replacements(addresses: &Addresses, place: Place, format: EventFormat) -> Vec<(&'static str, String)> {
    let mut all = vec![
        ("host: postgres.example.com", format!("host: {}", addresses.bind)),
        ("port: 5432", format!("port: {}", addresses.postgres)),
        ("http://s3.example.com:9000", addresses.s3_endpoint()),
    ];
    if let Place::Machine(http_port) = place {
        all.push(("kafka.example.com:9092", addresses.bootstrap_servers()));
        all.push(("httpPort: 8080", format!("httpPort: {http_port}")));
    }
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
    fn the_examples_themselves_are_resources_without_mistakes() {
        for place in [Place::Machine(9), Place::Kubernetes] {
            document::parse(place.example().1).unwrap();
        }
    }

    #[test]
    fn on_kubernetes_only_the_addresses_of_database_and_storage_are_changed() {
        let ours = ShopResource::new(&addresses(), Place::Kubernetes, EventFormat::Json).unwrap();
        let example = Place::Kubernetes.example().1;
        let changed = example.lines().zip(ours.text.lines()).filter(|(a, b)| a != b).count();
        assert_eq!((changed, example.lines().count()), (3, ours.text.lines().count()));
    }

    #[test]
    fn the_demo_changes_nothing_of_the_example_but_addresses() {
        let ours = ShopResource::new(&addresses(), Place::Machine(9), EventFormat::Json).unwrap();
        let example = Place::Machine(9).example().1;
        let changed: Vec<_> = example.lines().zip(ours.text.lines()).filter(|(a, b)| a != b).map(|(_, b)| b).collect();
        let expected = [
            "      host: 127.0.0.1",
            "      port: 1",
            "      bootstrapServers: 127.0.0.1:2",
            "      endpoint: http://127.0.0.1:8",
            "    httpPort: 9",
        ];
        assert_eq!(changed, expected);
        assert_eq!(example.lines().count(), ours.text.lines().count());
        assert_eq!(ours.tables(), ["public.users", "public.products", "public.orders"]);
        assert_eq!(ours.pairs(&addresses())[2].target().uri(), "s3://lake/shop/sales/orders");
        assert_eq!(ours.bucket(), "lake");
    }

    #[test]
    fn with_avro_the_resource_names_the_registry() {
        let ours = ShopResource::new(&addresses(), Place::Machine(9), EventFormat::Avro).unwrap();
        let avro = ours.resource().spec.format.avro.as_ref().unwrap();
        assert_eq!(avro.registry_url, "http://127.0.0.1:7/apis/ccompat/v7");
    }

    #[test]
    fn the_secrets_are_files_that_the_resource_names() {
        let directory = tempfile::tempdir().unwrap();
        let secrets = ShopResource::new(&addresses(), Place::Machine(9), EventFormat::Json)
            .unwrap()
            .write(directory.path())
            .unwrap();
        assert_eq!(std::fs::read_to_string(secrets.join("shop-db/username")).unwrap(), POSTGRES_USER);
        assert_eq!(std::fs::read_to_string(secrets.join("lake/AWS_SECRET_ACCESS_KEY")).unwrap(), S3_SECRET_KEY);
        assert!(directory.path().join("shop.yaml").exists());
    }
}
